//! What is on the disk, and what a power cut leaves of it.
//!
//! The rules, more pessimistic than any file system in use:
//! - Bytes and lengths of a file are safe once an fsync of it ended well that began after they were written.
//!   `sync_file_range` and closing a file make nothing safe.
//! - A name (made, changed, removed) is safe once an fsync of its folder ended well that began afterwards. An fsync of a
//!   file says nothing about its name, nor one of a folder about the folder's own name.
//! - After an fsync that failed, what it should have covered is never made safe by a later one: Linux marks the pages
//!   clean and a second fsync answers yes.
//! - What is not safe may be there nevertheless, in part: see [`Survivors`]. Changes of names keep their order, because
//!   every journaling file system keeps it; pages of one file do not. A page of 4096 bytes is written whole or not at
//!   all, but the end of a file may be cut anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use super::trace::Op;

const PAGE: usize = 4096;
const ROOT: usize = 0;

/// What of the unsafe changes is there after the cut.
pub(crate) enum Survivors<'a> {
    /// None of them.
    None,
    /// All: the process died and the machine did not.
    All,
    /// A random part: of each file nothing, or a beginning of what was written that ends anywhere.
    Beginnings(&'a mut Random),
    /// A random part: of each file any pages, in any order; a page that is missing in the middle reads as zeros.
    Pages(&'a mut Random),
}

/// A small generator (SplitMix64), so that a seed repeats a run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let limit = u64::try_from(limit.max(1)).expect("64 bits");
        usize::try_from((z ^ (z >> 31)) % limit).expect("64 bits")
    }
}

#[derive(Clone)]
enum Change {
    Write(usize, Rc<[u8]>),
    Length(usize),
}

#[derive(Clone)]
enum Naming {
    Set(String, usize),
    Remove(String),
    Rename(String, String, usize),
}

/// A change, when it was made, and whether an fsync of it has failed.
struct Pending<T> {
    when: u64,
    lost: bool,
    change: T,
}

#[derive(Default)]
struct File {
    safe: Vec<u8>,
    pending: Vec<Pending<Change>>,
}

#[derive(Default)]
struct Folder {
    safe: BTreeMap<String, usize>,
    live: BTreeMap<String, usize>,
    pending: Vec<Pending<Naming>>,
}

enum Node {
    File(File),
    Folder(Folder),
}

/// The disk at one moment.
pub(crate) struct Model {
    nodes: Vec<Node>,
    handles: BTreeMap<u64, usize>,
    /// When each fsync that runs began.
    syncs: BTreeMap<u64, u64>,
    now: u64,
}

impl Model {
    /// All that lies in a folder, safe: as after a start of the machine.
    pub(crate) fn load(folder: &Path) -> Self {
        let mut model = Self { nodes: Vec::new(), handles: BTreeMap::new(), syncs: BTreeMap::new(), now: 0 };
        model.load_node(folder);
        model
    }

    fn load_node(&mut self, path: &Path) -> usize {
        let number = self.nodes.len();
        if !path.is_dir() {
            let safe = std::fs::read(path).expect("a file");
            self.nodes.push(Node::File(File { safe, pending: Vec::new() }));
            return number;
        }
        self.nodes.push(Node::Folder(Folder::default()));
        let mut names = BTreeMap::new();
        for entry in std::fs::read_dir(path).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a plain name");
            names.insert(name, self.load_node(&entry.path()));
        }
        let folder = self.folder(number);
        folder.live.clone_from(&names);
        folder.safe = names;
        number
    }

    /// What happened next.
    pub(crate) fn apply(&mut self, op: &Op) {
        self.now += 1;
        match op {
            Op::Open { handle, path, created, emptied, folder } => {
                self.open(*handle, path, *created, *emptied, *folder)
            }
            Op::Write { handle, at, bytes } => self.change(*handle, Change::Write(*at, Rc::clone(bytes))),
            Op::Length { handle, length } => self.change(*handle, Change::Length(*length)),
            Op::SyncBegin { token } => drop(self.syncs.insert(*token, self.now)),
            Op::SyncEnd { handle, token, failed } => {
                let began = self.syncs.remove(token).expect("an fsync that began");
                let node = *self.handles.get(handle).expect("an open file");
                match self.nodes.get_mut(node).expect("a node") {
                    Node::File(file) => {
                        settle(&mut file.pending, began, *failed, |change| make(&mut file.safe, change))
                    }
                    Node::Folder(folder) => {
                        settle(&mut folder.pending, began, *failed, |naming| name(&mut folder.safe, naming));
                    }
                }
            }
            Op::Rename { from, to } => {
                let ((folder, from), (other, to)) = (self.place(from), self.place(to));
                assert_eq!(folder, other, "a rename from one folder into another is not followed");
                let node = *self.folder(folder).live.get(&from).expect("a name");
                self.name(folder, Naming::Rename(from, to, node));
            }
            Op::Unlink { path } | Op::RemoveFolder { path } => {
                let (folder, last) = self.place(path);
                self.name(folder, Naming::Remove(last));
            }
            Op::MakeFolder { path } => self.add(path, Node::Folder(Folder::default())),
            Op::Link { from, to } => {
                let node = self.find(from);
                let (folder, last) = self.place(to);
                self.name(folder, Naming::Set(last, node));
            }
            Op::Mark(_) | Op::Fault => {}
        }
    }

    /// Cuts the power and writes what is left into an empty folder.
    pub(crate) fn cut(&self, mut survivors: Survivors<'_>, to: &Path) {
        let names_until = match &mut survivors {
            Survivors::None => 0,
            Survivors::All => u64::MAX,
            Survivors::Beginnings(random) | Survivors::Pages(random) => {
                let now = usize::try_from(self.now).expect("64 bits");
                u64::try_from(random.below(now + 2)).expect("64 bits")
            }
        };
        self.write(ROOT, names_until, &mut survivors, to, &mut BTreeSet::new());
    }

    fn write(&self, node: usize, until: u64, survivors: &mut Survivors<'_>, to: &Path, seen: &mut BTreeSet<usize>) {
        match self.nodes.get(node).expect("a node") {
            Node::File(file) => {
                assert!(seen.insert(node), "a file with two names is not written");
                std::fs::write(to, left_of(file, survivors)).expect("it is written");
            }
            Node::Folder(folder) => {
                std::fs::create_dir_all(to).expect("a folder");
                let mut names = folder.safe.clone();
                for pending in folder.pending.iter().filter(|pending| pending.when < until) {
                    name(&mut names, &pending.change);
                }
                for (name, node) in names {
                    self.write(node, until, survivors, &to.join(name), seen);
                }
            }
        }
    }

    fn open(&mut self, handle: u64, path: &str, created: bool, emptied: bool, folder: bool) {
        if created {
            assert!(!folder, "open makes no folders");
            self.add(path, Node::File(File::default()));
        }
        let node = self.find(path);
        self.handles.insert(handle, node);
        if emptied && !created {
            self.change(handle, Change::Length(0));
        }
    }

    fn change(&mut self, handle: u64, change: Change) {
        let (node, when) = (*self.handles.get(&handle).expect("an open file"), self.now);
        match self.nodes.get_mut(node) {
            Some(Node::File(file)) => file.pending.push(Pending { when, lost: false, change }),
            _ => panic!("a folder is written to"),
        }
    }

    fn add(&mut self, path: &str, node: Node) {
        let (folder, last) = self.place(path);
        let number = self.nodes.len();
        self.nodes.push(node);
        self.name(folder, Naming::Set(last, number));
    }

    fn name(&mut self, folder: usize, naming: Naming) {
        let when = self.now;
        let folder = self.folder(folder);
        name(&mut folder.live, &naming);
        folder.pending.push(Pending { when, lost: false, change: naming });
    }

    fn folder(&mut self, number: usize) -> &mut Folder {
        match self.nodes.get_mut(number) {
            Some(Node::Folder(folder)) => folder,
            _ => panic!("not a folder"),
        }
    }

    /// The folder of a path and the path's last part.
    fn place(&mut self, path: &str) -> (usize, String) {
        let (folder, last) = path.rsplit_once('/').unwrap_or((".", path));
        (self.find(folder), last.to_owned())
    }

    fn find(&mut self, path: &str) -> usize {
        path.split('/').filter(|part| *part != ".").fold(ROOT, |at, part| {
            *self.folder(at).live.get(part).unwrap_or_else(|| panic!("{path} is not on the disk"))
        })
    }
}

/// Makes safe what an fsync covered, or gives it up when the fsync failed.
fn settle<T>(pending: &mut Vec<Pending<T>>, began: u64, failed: bool, mut safe: impl FnMut(&T)) {
    if failed {
        pending.iter_mut().filter(|one| one.when < began).for_each(|one| one.lost = true);
        return;
    }
    pending.retain(|one| {
        let covered = one.when < began && !one.lost;
        if covered {
            safe(&one.change);
        }
        !covered
    });
}

fn make(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(at, written) => {
            let end = at + written.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes.get_mut(*at..end).expect("long enough").copy_from_slice(written);
        }
        Change::Length(length) => bytes.resize(*length, 0),
    }
}

fn name(names: &mut BTreeMap<String, usize>, naming: &Naming) {
    match naming {
        Naming::Set(name, node) => drop(names.insert(name.clone(), *node)),
        Naming::Remove(name) => drop(names.remove(name)),
        Naming::Rename(from, to, node) => {
            names.remove(from);
            names.insert(to.clone(), *node);
        }
    }
}

fn left_of(file: &File, survivors: &mut Survivors<'_>) -> Vec<u8> {
    let mut bytes = file.safe.clone();
    let pending = file.pending.iter().map(|pending| &pending.change);
    match survivors {
        Survivors::None => {}
        Survivors::All => pending.for_each(|change| make(&mut bytes, change)),
        Survivors::Beginnings(random) => {
            let count = random.below(file.pending.len() + 1);
            pending.clone().take(count).for_each(|change| make(&mut bytes, change));
            if let Some(Change::Write(at, written)) = pending.clone().nth(count) {
                let torn = written.get(..random.below(written.len())).expect("shorter");
                make(&mut bytes, &Change::Write(*at, torn.into()));
            }
        }
        Survivors::Pages(random) => {
            let mut all = bytes.clone();
            pending.for_each(|change| make(&mut all, change));
            let pages = all.len().max(bytes.len()).div_ceil(PAGE);
            let written: Vec<usize> = (0..pages).filter(|page| part(&all, *page) != part(&bytes, *page)).collect();
            let few = random.below(4);
            for page in written {
                if random.below(4) < few {
                    make(&mut bytes, &Change::Write(page * PAGE, part(&all, page).into()));
                }
            }
        }
    }
    bytes
}

fn part(bytes: &[u8], page: usize) -> &[u8] {
    let from = (page * PAGE).min(bytes.len());
    let to = (from + PAGE).min(bytes.len());
    bytes.get(from..to).expect("inside")
}
