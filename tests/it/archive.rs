//! Archives in a directory and in a real S3-compatible bucket: whole and verified, or not there.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::TempDir;
use tollgate::archive::{Archive, ArchiveError, Flaw, Line, Packer, Place, RecordKind, Upload, Written, find, name};
use tollgate::config::{self, ArchiveUrl, Bucket, Secret};
use uuid::Uuid;

use crate::support::bucket::{BUCKET, BucketServer, KEY};

const LOG: Uuid = Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001);

/// A directory or a bucket, and the folder on this machine that holds its files.
struct Target {
    settings: config::Archive,
    files: PathBuf,
    _server: Option<BucketServer>,
    _folder: Option<TempDir>,
}

impl Target {
    fn directory() -> Self {
        let folder = TempDir::new().unwrap();
        let files = folder.path().join("made/by/it");
        let settings = config::Archive { url: ArchiveUrl::Directory(files.clone()), bucket: bucket(None, None) };
        Self { settings, files, _server: None, _folder: Some(folder) }
    }

    fn bucket() -> Self {
        let server = BucketServer::start();
        let secret = |text: &str| Secret::new(text.to_owned());
        let url = ArchiveUrl::parse(&format!("s3://{BUCKET}/gateways/one")).unwrap();
        let access = bucket(Some(server.endpoint.clone()), Some((secret(KEY), secret(KEY))));
        let files = server.objects().join("gateways/one");
        Self { settings: config::Archive { url, bucket: access }, files, _server: Some(server), _folder: None }
    }

    fn place(&self) -> Place {
        Place::open(&self.settings).unwrap()
    }

    /// The file on this machine whose path holds this text.
    fn file(&self, text: &str) -> PathBuf {
        let mut folders = vec![self.files.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let shown = path.display().to_string();
                // The bucket server keeps an object's metadata beside it.
                if path.is_dir() {
                    folders.push(path);
                } else if shown.contains(text) && !shown.contains("metadata") && !shown.ends_with(".md5") {
                    return path;
                }
            }
        }
        panic!("no file like {text}");
    }
}

fn bucket(endpoint: Option<String>, keys: Option<(Secret, Secret)>) -> Bucket {
    Bucket { region: "us-east-1".to_owned(), endpoint, keys }
}

/// A record as the log would have it: the link follows from the bytes.
fn line(seq: u64, record: RecordKind, body: &[u8]) -> Line {
    let meta = Bytes::from(format!("meta of {seq}"));
    let mut line =
        Line { seq, link: [0; 32], previous_link: [7; 32], record, meta, body: Bytes::copy_from_slice(body) };
    line.link = line.computed_link();
    line
}

fn lines(count: u64) -> Vec<Line> {
    let id = |seq: u64| Uuid::from_u128(u128::from(seq));
    let delivery = |seq: u64| RecordKind::Delivery {
        id: id(seq),
        source: "stripe".to_owned(),
        received_us: 1_700_000_000_000_000,
        event_id: Some(id(1_000_000 + seq)),
    };
    // Large, so that nine of them need two files.
    let body = |seq: u64| [&seq.to_be_bytes()[..], &[0xee; 3 << 20]].concat();
    (1..=count).map(|seq| line(seq, delivery(seq), &body(seq))).collect()
}

fn name_of(lines: &[Line]) -> String {
    let deliveries = lines.iter().filter_map(|line| match line.record {
        RecordKind::Delivery { id, .. } => Some((line.seq, id)),
        RecordKind::Decision { .. } => None,
    });
    name(LOG, &deliveries.collect::<Vec<_>>()).unwrap()
}

/// Files of the records, put one by one.
async fn begun(place: &Place, lines: &[Line]) -> Upload {
    let mut upload = Upload::begin(place, &name_of(lines), LOG);
    let mut packer = Packer::default();
    for line in lines {
        if let Some(packed) = packer.push(line).unwrap() {
            upload.put(packed).await.unwrap();
        }
    }
    if let Some(packed) = packer.close().unwrap() {
        upload.put(packed).await.unwrap();
    }
    upload
}

async fn written(place: &Place, lines: &[Line]) -> Written {
    begun(place, lines).await.finish(5, Some("a checkpoint".to_owned())).await.unwrap()
}

async fn open(place: &Place, lines: &[Line]) -> Archive {
    Archive::open(place.inside(&name_of(lines))).await.unwrap().expect("it is there")
}

async fn read(archive: &Archive) -> Result<Vec<Line>, ArchiveError> {
    let mut all = Vec::new();
    archive.verify(|line| all.push(line.clone())).await?;
    Ok(all)
}

fn change_last_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(path, bytes).unwrap();
}

async fn comes_back_byte_for_byte(target: &Target) {
    let (place, lines) = (target.place(), lines(9));
    let written = written(&place, &lines).await;
    assert!(1 < written.manifest.files.len(), "{:?}", written.manifest.files);
    assert_eq!(find(&place).await.unwrap(), [name_of(&lines)]);
    let archive = open(&place, &lines).await;
    assert_eq!((archive.manifest(), archive.manifest_sha256()), (&written.manifest, written.manifest_sha256));
    assert_eq!(archive.manifest().checkpoint.as_deref(), Some("a checkpoint"));
    assert_eq!(read(&archive).await.unwrap(), lines);
    let held: Vec<_> = written.deliveries.iter().map(|(id, link)| (*id, *link)).collect();
    assert_eq!(held, lines.iter().map(|line| (Uuid::from_u128(u128::from(line.seq)), line.link)).collect::<Vec<_>>());
    // The archive itself can be named too, and what was written once is found again.
    assert_eq!(find(&place.inside(&name_of(&lines))).await.unwrap(), [""]);
    assert_eq!(Upload::existing(&place, &name_of(&lines)).await.unwrap(), Some(written));
}

async fn an_interrupted_upload_is_no_archive_and_can_be_done_again(target: &Target) {
    let (place, lines) = (target.place(), lines(3));
    drop(begun(&place, &lines).await);
    assert!(target.file("records-000001").is_file(), "its files are there");
    assert!(matches!(find(&place).await, Err(ArchiveError::Nothing(_))));
    assert_eq!(Upload::existing(&place, &name_of(&lines)).await.unwrap(), None);
    written(&place, &lines).await;
    assert_eq!(read(&open(&place, &lines).await).await.unwrap(), lines);
}

async fn what_arrived_damaged_gets_no_manifest(target: &Target) {
    let (place, lines) = (target.place(), lines(3));
    let upload = begun(&place, &lines).await;
    change_last_byte(&target.file("records-000001"));
    let refused = upload.finish(5, None).await.unwrap_err();
    assert!(matches!(&refused, ArchiveError::Refused { flaw: Flaw::Digest { .. }, .. }), "{refused}");
    assert!(matches!(find(&place).await, Err(ArchiveError::Nothing(_))));
}

async fn a_changed_byte_refuses_the_whole_archive(target: &Target) {
    let (place, lines) = (target.place(), lines(9));
    let files = written(&place, &lines).await.manifest.files;
    let last = &files.last().unwrap().name;
    change_last_byte(&target.file(last));
    let refused = read(&open(&place, &lines).await).await.unwrap_err();
    assert!(refused.to_string().contains(last), "it names the file: {refused}");
    assert!(matches!(&refused, ArchiveError::Refused { flaw: Flaw::Digest { .. }, .. }), "{refused}");
    assert_eq!(Upload::existing(&place, &name_of(&lines)).await.unwrap(), None, "it does not count as written");
    std::fs::remove_file(target.file(last)).unwrap();
    let refused = read(&open(&place, &lines).await).await.unwrap_err();
    assert!(matches!(&refused, ArchiveError::Refused { flaw: Flaw::Missing, .. }), "{refused}");
    // Writing again replaces what is damaged.
    written(&place, &lines).await;
    assert_eq!(read(&open(&place, &lines).await).await.unwrap(), lines);
}

async fn all_of_it(target: fn() -> Target) {
    comes_back_byte_for_byte(&target()).await;
    an_interrupted_upload_is_no_archive_and_can_be_done_again(&target()).await;
    what_arrived_damaged_gets_no_manifest(&target()).await;
    a_changed_byte_refuses_the_whole_archive(&target()).await;
}

#[tokio::test]
async fn an_archive_in_a_directory_is_whole_or_not_there() {
    all_of_it(Target::directory).await;
}

#[tokio::test]
async fn an_archive_in_a_bucket_is_whole_or_not_there() {
    all_of_it(Target::bucket).await;
}

#[tokio::test]
async fn a_bucket_that_refuses_our_keys_is_an_error_that_names_it_and_no_secret() {
    let mut target = Target::bucket();
    let secret = |text: &str| Secret::new(text.to_owned());
    target.settings.bucket.keys = Some((secret("unknown-key"), secret("not-the-secret-key")));
    let lines = lines(1);
    let mut packer = Packer::default();
    assert!(packer.push(&lines[0]).unwrap().is_none());
    let packed = packer.close().unwrap().unwrap();
    let mut upload = Upload::begin(&target.place(), &name_of(&lines), LOG);
    let error = upload.put(packed).await.unwrap_err().to_string();
    assert!(error.contains("s3://evidence-archive/gateways/one"), "{error}");
    assert!(!error.contains("not-the-secret-key"), "{error}");
}

#[tokio::test]
async fn a_directory_that_is_made_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let target = Target::directory();
    written(&target.place(), &lines(1)).await;
    let mode = std::fs::metadata(&target.files).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
