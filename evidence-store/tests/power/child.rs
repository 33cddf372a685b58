//! The process on the faulty disk.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use evidence_store::Store;
use tempfile::TempDir;

use crate::faulty::trace::Trace;
use crate::faulty::{Model, Shim};
use crate::support::{DECISIONS, Honesty, Said, append, append_without_end, decided, open, pruned, say, variable};

const FOLDER: &str = "EVIDENCE_POWER_FOLDER";
const FIRST: &str = "EVIDENCE_POWER_FIRST";
const TASK: &str = "EVIDENCE_POWER_TASK";
/// Lives of a short run: each one opens, which replays the write-ahead log and begins another, appends and closes.
const LIVES: u64 = 3;
const APPENDS_IN_A_LIFE: u64 = 4;

/// RocksDB reserves room ahead of what it writes.
const MEMORY_BYTES_MIN: u64 = 2 << 30;

/// What the child does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Task {
    /// Appends from many tasks without end.
    Load,
    /// The same, and says so before it is true.
    LoadAnsweredEarly,
    /// A few lives with a few appends each, one after the other.
    Lives,
}

const TASKS: [(&str, Task); 3] = [("load", Task::Load), ("early", Task::LoadAnsweredEarly), ("lives", Task::Lives)];

/// A disk with a log on it, between two lives.
pub(crate) struct Site {
    shim: Shim,
    folder: TempDir,
    /// What lay on the disk before the child began.
    before: PathBuf,
}

/// What a child left behind.
pub(crate) struct Run {
    /// The disk as it was before.
    pub(crate) model: Model,
    /// All that happened.
    pub(crate) trace: Trace,
    /// All that it said.
    pub(crate) said: String,
}

impl Site {
    /// An empty disk.
    pub(crate) fn new() -> Self {
        let folder = memory().unwrap_or_else(|| tempfile::tempdir().expect("a folder"));
        let before = folder.path().join("disk");
        std::fs::create_dir(&before).expect("a folder");
        Self { shim: Shim::build(), folder, before }
    }

    /// Runs a child on the disk, under these rules, and kills it after so many answers; or until it ends.
    pub(crate) fn run(&self, task: Task, first: u64, rules: &str, kill_after: Option<usize>) -> Run {
        let (root, trace) = (self.before.clone(), self.folder.path().join("trace"));
        drop(std::fs::remove_file(&trace));
        let model = Model::load(&root);
        let task = TASKS.iter().find(|(_, one)| *one == task).expect("a task").0;
        let mut child = Command::new(std::env::current_exe().expect("a path"))
            .args(["--exact", "child::child_on_a_faulty_disk", "--nocapture"])
            .envs(self.shim.environment(&root, &trace, rules))
            .env(FOLDER, root.join("evidence"))
            .env(FIRST, first.to_string())
            .env(TASK, task)
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let (mut said, mut line, mut answers) = (String::new(), String::new(), Said::default());
        while output.read_line(&mut line).expect("reads") != 0 {
            answers.add(&line);
            said.push_str(&line);
            line.clear();
            if kill_after.is_some_and(|enough| enough <= answers.acknowledged.len()) {
                child.kill().expect("kills");
            }
        }
        let status = child.wait().expect("ends");
        assert!(kill_after.is_some() || status.success(), "the child failed:\n{said}");
        Run { model, trace: Trace::read(&trace), said }
    }

    /// What a cut leaves, in a folder of its own; the log is in `evidence`.
    pub(crate) fn left(&self, run: &Model, survivors: crate::faulty::Survivors<'_>) -> PathBuf {
        let left = self.folder.path().join("left");
        drop(std::fs::remove_dir_all(&left));
        run.cut(survivors, &left);
        left
    }

    /// The next life begins with what is left.
    pub(crate) fn goes_on_with(&self, left: &Path) {
        std::fs::remove_dir_all(&self.before).expect("the old disk");
        std::fs::rename(left, &self.before).expect("the new disk");
    }
}

/// A folder in memory, if there is room: what is safe is decided by the model, and real fsyncs only take time.
fn memory() -> Option<TempDir> {
    let room = rustix::fs::statvfs("/dev/shm").ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))?;
    (MEMORY_BYTES_MIN <= room).then(|| tempfile::tempdir_in("/dev/shm").ok())?
}

/// The child's side; does nothing when run as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_on_a_faulty_disk() {
    let (Some(folder), Some(first), Some(task)) = (variable(FOLDER), variable(FIRST), variable(TASK)) else {
        return;
    };
    let (folder, first) = (Path::new(&folder), first.parse::<u64>().expect("a number"));
    let task = TASKS.iter().find(|(name, _)| *name == task).expect("a task").1;
    for life in 0..if task == Task::Lives { LIVES } else { 1 } {
        let store = match open(folder) {
            Ok(store) => store,
            Err(error) => {
                say(&format!("refused: {error}"));
                return;
            }
        };
        match task {
            Task::Load => append_without_end(&store, first, Honesty::Honest).await,
            Task::LoadAnsweredEarly => append_without_end(&store, first, Honesty::Early).await,
            Task::Lives => {
                if !short_life(&store, first, life).await {
                    return;
                }
            }
        }
        store.close();
    }
}

/// A few appends, a list of decisions, and a delivery pruned; whether all was taken.
async fn short_life(store: &Store, first: u64, life: u64) -> bool {
    let numbers = first + life * APPENDS_IN_A_LIFE..first + (life + 1) * APPENDS_IN_A_LIFE;
    let oldest = numbers.start;
    for number in numbers {
        if !append(store, number, Honesty::Honest).await {
            return false;
        }
    }
    decided(store, first + (life + 1) * DECISIONS).await && pruned(store, oldest)
}
