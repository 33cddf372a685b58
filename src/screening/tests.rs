//! Reloading over real files. Each look is taken by hand, but for the test of the loop itself.

use std::time::SystemTime;

use super::*;

/// How long the loop may take to see a change.
const PATIENCE: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_secs(3600);

struct Place {
    folder: tempfile::TempDir,
    screening: Screening,
    current: Current,
    metrics: Metrics,
}

fn addresses(numbers: std::ops::Range<u16>) -> String {
    numbers.map(|number| format!("0x{number:040x}\n")).collect()
}

impl Place {
    /// One hundred addresses in force.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("deny.txt"), addresses(0..100)).unwrap();
        let settings = settings(&folder, &["deny.txt"]);
        let metrics = Metrics::new();
        let screening = Screening::open(&settings, Clock::system(), metrics.clone()).unwrap();
        let current = screening.current();
        Self { folder, screening, current, metrics }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file in place by a rename, and looks until it would have been taken.
    fn put(&mut self, name: &str, text: &str) {
        std::fs::write(self.path("new"), text).unwrap();
        std::fs::rename(self.path("new"), self.path(name)).unwrap();
        self.look();
    }

    fn look(&mut self) {
        self.screening.look();
        self.screening.look();
    }

    fn in_force(&self) -> usize {
        self.current.list().unwrap().files().map(DenyFile::count).sum()
    }

    fn is_refused(&self) -> bool {
        self.metrics.denylist_refused.get() == 1
    }
}

fn settings(folder: &tempfile::TempDir, names: &[&str]) -> config::Screening {
    let files = names.iter().map(|name| folder.path().join(name)).collect();
    config::Screening { files, max_age: 48 * HOUR, ..config::Screening::default() }
}

#[test]
fn a_changed_file_is_taken_at_the_second_look() {
    let mut place = Place::new();
    std::fs::write(place.path("deny.txt"), addresses(0..150)).unwrap();
    place.screening.look();
    assert_eq!(place.in_force(), 100, "somebody may still be writing it");
    place.screening.look();
    assert_eq!((place.in_force(), place.is_refused()), (150, false));
    place.put("deny.txt", &addresses(10..150));
    assert_eq!(place.in_force(), 140, "a few may leave the list");
}

#[test]
fn what_is_no_whole_list_leaves_the_old_one_in_force_and_is_told() {
    let whole = addresses(0..100);
    let torn = whole.get(..whole.len() - 20).unwrap();
    let half = whole.get(..whole.len() / 2 + 7).unwrap();
    for (name, text) in [
        ("empty", ""),
        ("half", half),
        ("half, to a line", &addresses(0..50)),
        ("torn in its last line", torn),
        ("another file", "<html>not found</html>"),
        ("only comments", "# 100 addresses\n"),
    ] {
        let mut place = Place::new();
        let before = place.current.list().unwrap();
        place.put("deny.txt", text);
        assert_eq!(place.current.list().unwrap(), before, "{name}");
        assert!(place.is_refused(), "{name}");
        place.put("deny.txt", &addresses(0..101));
        assert_eq!((place.in_force(), place.is_refused()), (101, false), "{name}: the next whole one is taken");
    }
}

#[test]
fn a_file_that_is_gone_leaves_the_old_one_in_force_until_one_is_there_again() {
    let mut place = Place::new();
    std::fs::remove_file(place.path("deny.txt")).unwrap();
    place.look();
    place.look();
    assert_eq!((place.in_force(), place.is_refused()), (100, true));
    place.put("deny.txt", &addresses(0..100));
    assert_eq!((place.in_force(), place.is_refused()), (100, false));
}

#[test]
fn a_shrunk_list_is_taken_when_a_file_beside_it_names_its_digest() {
    let mut place = Place::new();
    let small = addresses(0..3);
    let digest = hex::encode(crate::digest::sha256(small.as_bytes()));
    place.put("deny.txt", &small);
    assert_eq!((place.in_force(), place.is_refused()), (100, true));
    place.put("deny.txt.force", &hex::encode([0; 32]));
    assert_eq!(place.in_force(), 100, "that is another list's");
    place.put("deny.txt.force", &format!("{digest}  deny.txt\n"));
    assert_eq!((place.in_force(), place.is_refused()), (3, false));
    // It allows these bytes and no others.
    place.put("deny.txt", &addresses(0..1));
    assert_eq!((place.in_force(), place.is_refused()), (3, true));
}

#[test]
fn one_file_does_not_hide_that_another_shrank() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("large.txt"), addresses(0..1000)).unwrap();
    std::fs::write(folder.path().join("own.txt"), addresses(2000..2010)).unwrap();
    let settings = settings(&folder, &["large.txt", "own.txt"]);
    let mut screening = Screening::open(&settings, Clock::system(), Metrics::new()).unwrap();
    let current = screening.current();
    std::fs::write(folder.path().join("own.txt"), addresses(2000..2001)).unwrap();
    std::fs::write(folder.path().join("large.txt"), addresses(0..1001)).unwrap();
    screening.look();
    screening.look();
    let counts: Vec<usize> = current.list().unwrap().files().map(DenyFile::count).collect();
    assert_eq!(counts, [1001, 10]);
}

#[test]
fn the_age_is_that_of_the_oldest_file_and_touching_it_makes_it_fresh() {
    let place = Place::new();
    let (path, metrics) = (place.path("deny.txt"), Metrics::new());
    let set = |time: SystemTime| std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let written = std::fs::metadata(&path).unwrap().modified().unwrap();
    set(written - 50 * HOUR);
    let clock = Clock::manual(Timestamp::try_from(written).unwrap());
    let mut screening =
        Screening::open(&settings(&place.folder, &["deny.txt"]), clock.clone(), metrics.clone()).unwrap();
    let current = screening.current();
    let is_stale = || current.list().unwrap().is_stale(48 * HOUR, clock.now().as_microsecond());
    assert_eq!((metrics.denylist_age.get().round(), is_stale()), (180_000.0, true));
    set(written);
    screening.look();
    screening.look();
    assert_eq!((metrics.denylist_age.get().round(), is_stale()), (0.0, false));
    clock.advance(HOUR);
    screening.look();
    assert_eq!(metrics.denylist_age.get().round(), 3600.0, "it grows by itself");
}

#[test]
fn a_bad_file_at_the_start_is_named_with_its_line() {
    let place = Place::new();
    let open = |names: &[&str]| Screening::open(&settings(&place.folder, names), Clock::system(), Metrics::new());
    std::fs::write(place.path("bad.txt"), "# own\n0x12\n").unwrap();
    for (names, said) in [
        (["deny.txt", "bad.txt"].as_slice(), ["bad.txt: line 2: expected an address", "put # in front"]),
        (&["absent.txt"], ["absent.txt cannot be read: No such file", "name a file"]),
    ] {
        let told = open(names).err().unwrap().to_string();
        assert!(said.iter().all(|words| told.contains(words)), "{told}");
        assert_eq!(read(&settings(&place.folder, names)).err().unwrap().to_string(), told, "as `check` says it");
    }
    let none = open(&[]).unwrap();
    assert_eq!(none.current().list(), None);
}

#[tokio::test]
async fn the_loop_takes_what_changed_and_ends_when_it_is_told() {
    let place = Place::new();
    let (switch, stop) = task::stop();
    let current = place.current.clone();
    let running = task::spawn("screening", place.screening.follow(Duration::from_millis(2), stop));
    std::fs::write(place.folder.path().join("deny.txt"), addresses(0..120)).unwrap();
    let mut changes = current.0.clone();
    let taken = changes.wait_for(|list| list.as_ref().is_some_and(|list| list.files().all(|file| file.count() == 120)));
    assert!(tokio::time::timeout(PATIENCE, taken).await.is_ok(), "never taken");
    switch.stop();
    assert!(tokio::time::timeout(PATIENCE, running).await.is_ok(), "it goes on");
}
