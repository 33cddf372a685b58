//! From record to record.

use std::ops::ControlFlow;

use bytes::Bytes;
use rocksdb::{Direction, IteratorMode};

use super::diagnose::{diagnose, unreadable};
use super::indexes::{Indexes, whole_log};
use super::{Finding, Halt, Report, Scope, Wrong};
use crate::check;
use crate::checkpoint::Signed;
use crate::delivery::{Counts, Entry, Head, Record};
use crate::engine::{Engine, is_damage};
use crate::error::ReadError;
use crate::keys;
use crate::link::Link;
use crate::note::{Note, NoteError};
use crate::reader;
use crate::seal::{self, TILE_LEAVES, Tree};
use crate::store::Store;

/// Records under one iterator: it keeps files alive that an erasure wants gone.
const CHUNK_RECORDS: u64 = 1024;
/// Records between two reports of progress.
const PROGRESS_RECORDS: u64 = 64;

/// What is carried from record to record.
struct Walk<'a> {
    engine: &'a Engine,
    scope: &'a Scope,
    report: Report,
    previous: Link,
    /// None where the tree was never brought to: there is nothing to compare with.
    tree: Option<Tree>,
    /// Tiles that are stored.
    tiles: u64,
    /// The next stored checkpoint.
    due: Option<Signed>,
    /// The record after the last checkpoint that was found right.
    unsigned_from: u64,
    /// A tile that differs: which of tile and records is wrong, the next checkpoint says.
    doubt: Option<Finding>,
    indexes: Indexes<'a>,
}

pub(super) fn run(
    store: &Store,
    scope: &Scope,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Report, ReadError> {
    let (head, counts) = store.end();
    let from = scope.from.max(1);
    let to = scope.to.unwrap_or(head.seq).min(head.seq);
    let report = Report {
        log_id: store.log_id(),
        from,
        to,
        verified_to: from.saturating_sub(1),
        counts: Counts::default(),
        tiles: 0,
        checkpoints: 0,
        signatures: 0,
        outside: None,
        finding: None,
        cancelled: false,
    };
    let engine = store.engine();
    let mut walk = Walk {
        engine,
        scope,
        previous: [0; 32],
        tree: None,
        tiles: 0,
        due: None,
        unsigned_from: from,
        doubt: None,
        indexes: Indexes::new(engine),
        report,
    };
    let outcome = walk.begin(head).and_then(|()| walk.records(progress)).and_then(|()| walk.end(store, head, counts));
    match outcome {
        Ok(()) => {}
        Err(Halt::Found(finding)) => walk.report.finding = Some(finding),
        Err(Halt::Failed(ReadError::Damaged { seq, what })) => {
            walk.report.finding = Some(Finding::new(seq, Wrong::Unreadable, what));
        }
        Err(Halt::Failed(ReadError::Newer { seq, what })) => {
            walk.report.finding = Some(Finding::new(seq, Wrong::Newer, what));
        }
        Err(Halt::Failed(error @ ReadError::Engine(_))) => return Err(error),
    }
    Ok(walk.report)
}

impl Walk<'_> {
    fn begin(&mut self, head: Head) -> Result<(), Halt> {
        let before = self.report.from.saturating_sub(1);
        if let Some(outside) = &self.scope.outside
            && head.seq < outside.checkpoint.size
        {
            let size = outside.checkpoint.size;
            let detail =
                format!("the checkpoint covers {size} records and the log ends at {}: it was cut off", head.seq);
            return Err(Finding::new(head.seq.saturating_add(1), Wrong::CutOff, detail).into());
        }
        if head.seq < before {
            return Ok(());
        }
        self.previous = reader::link_at(self.engine, head, before)?.unwrap_or(self.previous);
        self.tiles = seal::tiles_stored(self.engine)?;
        let tiled = self.tiles.saturating_mul(TILE_LEAVES);
        if before.saturating_sub(before.checked_rem(TILE_LEAVES).unwrap_or(0)) <= tiled {
            self.tree = Some(Tree::load(self.engine, head, before)?);
        }
        self.due = self.next_checkpoint(before)?;
        if let Some(outside) = &self.scope.outside
            && outside.checkpoint.size < self.report.from
        {
            let tree = Tree::load(self.engine, head, outside.checkpoint.size)?;
            self.outside(&tree)?;
        }
        Ok(())
    }

    fn records(&mut self, progress: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Result<(), Halt> {
        let from = self.report.from;
        let mut seq = from;
        while seq <= self.report.to {
            let last = seq.saturating_add(CHUNK_RECORDS.saturating_sub(1)).min(self.report.to);
            let key = seq.to_be_bytes();
            let mode = IteratorMode::From(&key, Direction::Forward);
            let family = self.engine.family(keys::RECORDS)?;
            let end = Head { seq: last, link: self.previous };
            let mut stored = self.engine.db().iterator_cf_opt(family, reader::options(end), mode);
            while seq <= last {
                match stored.next() {
                    Some(Ok((key, value))) if keys::parse_seq(&key) == Some(seq) => self.record(seq, &value.into())?,
                    Some(Ok((key, _))) => return Err(self.missing(seq, keys::parse_seq(&key)).into()),
                    Some(Err(error)) if is_damage(&error) => {
                        return Err(unreadable(self.engine, seq, &error.into_string())?.into());
                    }
                    Some(Err(error)) => return Err(ReadError::Engine(error.into_string()).into()),
                    None => return Err(self.missing(seq, None).into()),
                }
                self.report.verified_to = seq;
                let done = seq.saturating_sub(from).saturating_add(1);
                if (done.is_multiple_of(PROGRESS_RECORDS) || seq == self.report.to) && progress(done).is_break() {
                    self.report.cancelled = true;
                    return Ok(());
                }
                seq = seq.saturating_add(1);
            }
        }
        Ok(())
    }

    fn missing(&self, seq: u64, next: Option<u64>) -> Finding {
        let last = next.and_then(|next| next.checked_sub(1)).unwrap_or(self.report.to);
        let detail = if seq < last {
            format!("the records {seq} to {last} are missing: they were removed from the log")
        } else {
            format!("record {seq} is missing: it was removed from the log")
        };
        Finding::new(seq, Wrong::Missing, detail)
    }

    fn record(&mut self, seq: u64, stored: &Bytes) -> Result<(), Halt> {
        let record = match check::record(seq, &self.previous, stored) {
            Ok(record) => record,
            Err(error) => return Err(diagnose(self.engine, seq, &self.previous, stored, &error)?.into()),
        };
        self.indexes.record(&record, stored)?;
        self.previous = record.link;
        self.leaf(&record)?;
        self.checkpoints_at(seq)?;
        let counted = match record.entry {
            Entry::Delivery(_) => &mut self.report.counts.deliveries,
            Entry::Decision(_) => &mut self.report.counts.decisions,
            Entry::Stub(_) => &mut self.report.counts.stubs,
        };
        *counted = counted.saturating_add(1);
        Ok(())
    }

    /// Adds the record to the tree and compares the tile that it completes.
    fn leaf(&mut self, record: &Record) -> Result<(), Halt> {
        let Some(tree) = &mut self.tree else { return Ok(()) };
        let tile = tree.push(seal::leaf_of(record), record.link);
        let Some((index, root)) = tile.map_err(|error| ReadError::Engine(error.to_string()))? else { return Ok(()) };
        if self.tiles <= index || self.doubt.is_some() {
            return Ok(());
        }
        let first = index.saturating_mul(TILE_LEAVES).saturating_add(1);
        if seal::tile(self.engine, index)? == Some(root) {
            self.report.tiles = self.report.tiles.saturating_add(1);
        } else {
            let detail = format!(
                "the stored tile {index} is not that of the records {first} to {}; the records agree with every \
                 checkpoint, only this derived part of the tree is wrong",
                record.seq
            );
            self.doubt = Some(Finding::new(first, Wrong::Tile, detail));
        }
        Ok(())
    }

    /// Compares every checkpoint over exactly the records so far.
    fn checkpoints_at(&mut self, seq: u64) -> Result<(), Halt> {
        if self.scope.outside.as_ref().is_some_and(|outside| outside.checkpoint.size == seq)
            && let Some(tree) = self.tree.clone()
        {
            self.outside(&tree)?;
        }
        if self.due.as_ref().is_some_and(|due| due.checkpoint.size == seq)
            && let Some(due) = self.due.take()
        {
            self.stored_checkpoint(&due)?;
            self.unsigned_from = seq.saturating_add(1);
            self.due = self.next_checkpoint(seq)?;
        }
        Ok(())
    }

    fn stored_checkpoint(&mut self, due: &Signed) -> Result<(), Halt> {
        let Some(tree) = &self.tree else { return Ok(()) };
        if !agrees(tree, due) {
            return Err(self.rewritten(due.checkpoint.size, "a stored checkpoint").into());
        }
        self.report.checkpoints = self.report.checkpoints.saturating_add(1);
        let Some(key) = &self.scope.key else { return Ok(()) };
        let wrong = |error: &NoteError| {
            let detail = format!("the stored checkpoint over {} records: {error}", due.checkpoint.size);
            Finding::new(due.checkpoint.size, Wrong::Checkpoint, detail)
        };
        // The key under the name that the log had then: a restored log goes on under a new one.
        let key = key.named(&due.checkpoint.origin).map_err(|error| wrong(&error))?;
        match Note::parse(due.note.as_bytes()).and_then(|note| note.verify(&key).map(drop)) {
            Ok(()) => self.report.signatures = self.report.signatures.saturating_add(1),
            // By a key before this one: its root is right, and whose it was is not known here.
            Err(NoteError::Unsigned(_)) => {}
            Err(error) => return Err(wrong(&error).into()),
        }
        Ok(())
    }

    fn outside(&mut self, tree: &Tree) -> Result<(), Halt> {
        let Some(outside) = &self.scope.outside else { return Ok(()) };
        let size = outside.checkpoint.size;
        if !agrees(tree, outside) {
            return Err(self.rewritten(size, "the checkpoint that was given").into());
        }
        self.report.outside = Some(size);
        Ok(())
    }

    fn rewritten(&self, size: u64, which: &str) -> Finding {
        // A tile that differs says more closely where.
        let from = self.doubt.as_ref().map_or(self.unsigned_from, |doubt| doubt.seq).min(size).max(1);
        let detail = format!(
            "the first {size} records are not those that {which} was signed for: history was rewritten, in record {from} \
             or after it"
        );
        Finding::new(from, Wrong::Rewritten, detail)
    }

    fn next_checkpoint(&self, after: u64) -> Result<Option<Signed>, Halt> {
        match seal::checkpoints(self.engine, after, 1) {
            Ok(found) => Ok(found.into_iter().next()),
            Err(ReadError::Damaged { seq, what }) => Err(Finding::new(seq, Wrong::Checkpoint, what).into()),
            Err(error) => Err(error.into()),
        }
    }

    fn end(&mut self, store: &Store, head: Head, counts: Counts) -> Result<(), Halt> {
        if self.report.cancelled {
            return Ok(());
        }
        if let Some(doubt) = self.doubt.take() {
            return Err(doubt.into());
        }
        if self.report.to < head.seq {
            return Ok(());
        }
        if let Some(newest) = seal::latest(self.engine)?
            && store.head().seq < newest.checkpoint.size
        {
            let detail = format!(
                "there is a checkpoint over {} records and the log ends at {}: it was cut off",
                newest.checkpoint.size, head.seq
            );
            return Err(Finding::new(head.seq.saturating_add(1), Wrong::CutOff, detail).into());
        }
        if self.report.from == 1 {
            whole_log(self.engine, store, head, counts, self.report.counts)?;
        }
        Ok(())
    }
}

fn agrees(tree: &Tree, signed: &Signed) -> bool {
    let said = &signed.checkpoint;
    tree.size() == said.size && tree.root() == said.root && said.link.is_none_or(|link| link == tree.link)
}
