//! How long evidence is kept: only what is settled goes, never without its archive, and it comes back byte for byte. A
//! crash between any two steps loses nothing, and what was pruned is known for ever (rule 7).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use evidence_store::{Facts, Options, Store, Subject};
use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::archive::{Archive, Line, Place, RecordKind, find};
use tollgate::config::{self, ArchiveUrl};
use uuid::Uuid;

use crate::support::bucket::{BUCKET, BucketServer, KEY};
use crate::support::gateway::{ADMIN_TOKEN, FORWARD_SECRET, Gateway, PATIENCE, Setup, Site, VIEWER_TOKEN};
use crate::support::money::{card, with};
use crate::support::receiver::Receiver;

/// A gateway whose backend takes everything, so that what is posted settles.
struct World {
    site: Site,
    backend: Receiver,
}

impl World {
    fn with(lines: Vec<(&'static str, String)>) -> Self {
        let backend = Receiver::start(&[FORWARD_SECRET]);
        let site = Site::new(&Setup { backend: Some(backend.address()), lines, ..Setup::default() });
        Self { site, backend }
    }

    /// With an archive in this folder.
    fn archiving(folder: &Path) -> Self {
        Self::with(vec![("evidence", format!("archive = {{ url = \"{}\" }}", folder.display()))])
    }

    /// The log of the stopped gateway.
    fn log(&self) -> Store {
        let options = Options {
            path: self.site.data().join("evidence"),
            reserve_bytes: 0,
            rejected_max_bytes: 1 << 20,
            repeats_max: 64,
            observer: None,
        };
        Store::open(options).expect("the log opens")
    }
}

/// Posts a card payment and waits until it is settled.
async fn settled(gateway: &Gateway, name: &str) -> String {
    let id = gateway.stripe(card(name).to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&id, "settled", "PROVIDER_EVENT").await;
    id
}

/// Runs `tollgate evidence …` against the gateway.
fn evidence(site: &Site, gateway: &Gateway, token: &str, arguments: &[&str]) -> Output {
    let mut command = site.command();
    command.arg("evidence").args(arguments).args(["-o", "json", "--admin", &format!("http://{}", gateway.admin)]);
    command.env("TOLLGATE_ADMIN_TOKEN", token).output().expect("the program runs")
}

fn json_of(output: &Output) -> Value {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in:\n{out}{err}"))
}

/// Fails with these words.
fn fails(output: &Output, words: &str) {
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && err.contains(words), "expected {words:?} in:\n{err}");
}

const ALL: &[&str] = &["prune", "--older-than", "0s", "--yes"];

async fn raw(gateway: &Gateway, id: &str) -> (u16, Vec<u8>, Value) {
    let reply = gateway.admin("GET", &format!("/api/v1/deliveries/{id}/raw"), ADMIN_TOKEN, None).await;
    (reply.status, reply.body.clone(), reply.json())
}

async fn is_pruned(gateway: &Gateway, id: &str) -> Value {
    let (status, _, body) = raw(gateway, id).await;
    assert_eq!((status, body["error"]["code"].as_str()), (410, Some("PRUNED")), "{body:#}");
    body["error"]["details"].clone()
}

async fn holds(gateway: &Gateway, id: &str, name: &str) {
    let (status, body, _) = raw(gateway, id).await;
    assert_eq!((status, String::from_utf8_lossy(&body).into_owned()), (200, card(name).to_string()));
}

#[tokio::test]
async fn only_what_is_settled_and_free_goes_and_an_operator_is_asked_first() {
    let world = World::with(vec![]);
    let gateway = world.site.start();
    let (one, two) = (settled(&gateway, "1").await, settled(&gateway, "2").await);
    // A claim that nothing here can check is held for a person.
    let claim = json!({"event": "payment.confirmed", "requestId": format!("01{}", "a".repeat(64)),
        "paymentReference": "0x0102030405060708", "txHash": format!("0x{}", "b".repeat(64)), "network": "base",
        "currency": "USDC", "amount": "1"});
    let unsettled = gateway.request_network(claim.to_string().as_bytes()).await.delivery_id();
    gateway.event_when(&unsettled, |event| event["state"] == "held" || event["state"] == "undetermined").await;
    let (status, log) = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    let store = world.log();
    let facts = Facts { at_us: 1, by: "ann".to_owned(), reason: "a lawsuit".to_owned() };
    store.hold(Subject::Delivery(two.parse().expect("an id")), facts).expect("holds");
    drop(store);

    let gateway = world.site.start();
    let run = |token: &str, arguments: &[&str]| evidence(&world.site, &gateway, token, arguments);
    fails(&run(VIEWER_TOKEN, ALL), "role");
    fails(&run(ADMIN_TOKEN, &["prune"]), "nothing says what may go");
    fails(&run(ADMIN_TOKEN, &["prune", "--older-than", "90"]), "90d");
    fails(&run(ADMIN_TOKEN, &["prune", "--older-than", "0s"]), "add --yes");
    let parts = json_of(&run(ADMIN_TOKEN, &["prune", "--older-than", "0s", "--dry-run"]));
    assert_eq!(
        (&parts[0]["source"], &parts[0]["deliveries"], &parts[0]["held"]),
        (&json!("stripe"), &json!(1), &json!(1))
    );
    assert_eq!(parts.as_array().map(Vec::len), Some(1), "{parts:#}");
    holds(&gateway, &one, "1").await;
    assert_eq!(json_of(&run(ADMIN_TOKEN, &["prune", "--older-than", "1h", "--dry-run"])), json!([]));

    let parts = json_of(&run(ADMIN_TOKEN, ALL));
    assert_eq!((&parts[0]["deliveries"], &parts[0]["held"]), (&json!(1), &json!(1)), "{parts:#}");
    let details = is_pruned(&gateway, &one).await;
    assert_eq!((details["by"].as_str(), details["reason"].as_str()), (Some("admin"), Some("older than 0s")));
    holds(&gateway, &two, "2").await;
    assert_eq!(raw(&gateway, &unsettled).await.0, 200);
    assert_eq!(json_of(&run(ADMIN_TOKEN, ALL))[0]["deliveries"], 0, "nothing is left but what is held");
    let metrics = gateway.admin("GET", "/metrics", ADMIN_TOKEN, None).await;
    let metrics = String::from_utf8(metrics.body).expect("text");
    assert!(metrics.contains("tollgate_pruned_deliveries_total{source=\"stripe\"} 1"), "{metrics}");

    // The stopped gateway's folder does the same, and its owner may.
    let three = settled(&gateway, "3").await;
    gateway.terminate();
    let mut command = world.site.command();
    command.args(["evidence", "prune", "--older-than", "0s", "--yes", "-o", "json", "--data"]).arg(world.site.data());
    command.arg("--config").arg(world.site.file());
    assert_eq!(json_of(&command.output().expect("the program runs"))[0]["deliveries"], 1);
    is_pruned(&world.site.start(), &three).await;
}

#[tokio::test]
async fn rule_7_what_was_pruned_is_known_when_it_comes_again_under_another_id() {
    let world = World::with(vec![]);
    let gateway = world.site.start();
    let first = settled(&gateway, "1").await;
    let event = gateway.event_when(&first, |_| true).await["event_id"].clone();
    json_of(&evidence(&world.site, &gateway, ADMIN_TOKEN, ALL));
    is_pruned(&gateway, &first).await;
    let again = settled(&gateway, "1").await;
    assert_ne!(again, first);
    assert_eq!(gateway.event_when(&again, |_| true).await["event_id"], event, "no new event");
    // What comes after it went all the way: nothing was sent for the old one.
    settled(&gateway, "2").await;
    assert_eq!(world.backend.received().len(), 2);
}

/// Prunes into the archive and brings everything back; `place` is what `import` is told.
async fn goes_and_comes_back(world: &World, place: &str) {
    let gateway = world.site.start();
    let names = ["1", "2", "3"];
    let mut ids = Vec::new();
    for name in names {
        ids.push(settled(&gateway, name).await);
    }
    let run = |arguments: &[&str]| evidence(&world.site, &gateway, ADMIN_TOKEN, arguments);
    let parts = json_of(&run(ALL));
    let archive = &parts[0]["archives"][0];
    assert_eq!((&parts[0]["deliveries"], &archive["deliveries"]), (&json!(3), &json!(3)), "{parts:#}");
    let name = archive["archive"].as_str().and_then(|shown| shown.rsplit('/').next()).expect("a name");
    let digest = archive["manifest_sha256"].as_str().expect("a digest");
    for id in &ids {
        let details = is_pruned(&gateway, id).await;
        let reason = format!("older than 0s; archive {name}, manifest sha256 {digest}");
        assert_eq!(details["reason"], reason);
    }
    let report = json_of(&run(&["import", place]));
    assert_eq!((&report[0]["returned"], &report[0]["known"]), (&json!(3), &json!(0)), "{report:#}");
    for (id, name) in ids.iter().zip(names) {
        holds(&gateway, id, name).await;
    }
    assert_eq!(json_of(&run(&["import", place]))[0]["known"], 3, "importing again changes nothing");
    let (status, log) = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    // What came back may go again, into the same archive.
    let gateway = world.site.start();
    let parts = json_of(&evidence(&world.site, &gateway, ADMIN_TOKEN, ALL));
    assert_eq!(&parts[0]["archives"][0], archive, "{parts:#}");
    is_pruned(&gateway, &ids[0]).await;
    assert_eq!(world.backend.received().len(), 3, "nothing was sent again");
}

#[tokio::test]
async fn what_went_to_a_directory_comes_back_byte_for_byte() {
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().join("archive");
    goes_and_comes_back(&World::archiving(&place), &place.display().to_string()).await;
}

#[tokio::test]
async fn what_went_to_a_bucket_comes_back_byte_for_byte() {
    let server = BucketServer::start();
    let secrets = TempDir::new().expect("a folder");
    let key = secrets.path().join("key");
    std::fs::write(&key, KEY).expect("written");
    let place = format!("s3://{BUCKET}/one");
    let line = format!(
        "archive = {{ url = \"{place}\", endpoint = \"{}\", access_key = \"file:{1}\", secret_key = \"file:{1}\" }}",
        server.endpoint,
        key.display()
    );
    goes_and_comes_back(&World::with(vec![("evidence", line)]), &place).await;
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_tampered_archive_is_refused_whole_and_another_gateway_takes_a_whole_one() {
    let folder = TempDir::new().expect("a folder");
    let world = World::archiving(folder.path());
    let gateway = world.site.start();
    let ids = [settled(&gateway, "1").await, settled(&gateway, "2").await];
    let run = |arguments: &[&str]| evidence(&world.site, &gateway, ADMIN_TOKEN, arguments);
    json_of(&run(ALL));
    let place = folder.path().display().to_string();
    let records = files(folder.path()).into_iter().find(|path| path.ends_with("records-000001.ndjson.zst"));
    let records = records.expect("a file of records");
    let sound = std::fs::read(&records).expect("its bytes");
    for at in [0, sound.len() / 2, sound.len() - 1] {
        let mut changed = sound.clone();
        changed[at] ^= 1;
        std::fs::write(&records, changed).expect("written");
        fails(&run(&["import", &place]), "nothing of this archive was used");
    }
    is_pruned(&gateway, &ids[0]).await;
    std::fs::write(&records, sound).expect("written");
    fails(&run(&["import", "/no/such/folder"]), "no directory");
    fails(&evidence(&world.site, &gateway, VIEWER_TOKEN, &["import", &place]), "role");

    // A gateway that never saw them stores them as deliveries of its own, with their ids, and knows them from then on.
    let other = World::with(vec![]);
    let gateway = other.site.start();
    let report = json_of(&evidence(&other.site, &gateway, ADMIN_TOKEN, &["import", &place]));
    assert_eq!((&report[0]["added"], &report[0]["returned"]), (&json!(2), &json!(0)), "{report:#}");
    for (id, name) in ids.iter().zip(["1", "2"]) {
        holds(&gateway, id, name).await;
        gateway.event_in(id, "settled", "PROVIDER_EVENT").await;
    }
    assert_eq!(other.log_is_known(&gateway, &place), 2);
}

impl World {
    fn log_is_known(&self, gateway: &Gateway, place: &str) -> u64 {
        let report = json_of(&evidence(&self.site, gateway, ADMIN_TOKEN, &["import", place]));
        report[0]["known"].as_u64().expect("a number")
    }
}

#[tokio::test]
async fn a_copy_of_the_log_holds_what_was_asked_for_and_removes_nothing() {
    let folder = TempDir::new().expect("a folder");
    let world = World::archiving(folder.path());
    let gateway = world.site.start();
    let id = settled(&gateway, "1").await;
    let run = |arguments: &[&str]| evidence(&world.site, &gateway, ADMIN_TOKEN, arguments);
    assert_eq!(json_of(&run(&["archive", "--until", "1h"])), json!([]));
    let archives = json_of(&run(&["archive", "--since", "1h"]));
    assert_eq!(archives[0]["deliveries"], 1, "{archives:#}");
    holds(&gateway, &id, "1").await;
    gateway.terminate();
    let world = World::with(vec![]);
    let gateway = world.site.start();
    fails(&evidence(&world.site, &gateway, ADMIN_TOKEN, &["archive"]), "[evidence.archive]");
    let place = folder.path().display().to_string();
    let report = json_of(&evidence(&world.site, &gateway, ADMIN_TOKEN, &["import", &place]));
    assert_eq!(report[0]["added"], 1, "{report:#}");
    holds(&gateway, &id, "1").await;
}

/// Ids of the deliveries in every whole archive, with how many archives hold each.
async fn archived(folder: &Path) -> BTreeMap<Uuid, usize> {
    let mut found = BTreeMap::new();
    let bucket = config::Bucket::default();
    let url = ArchiveUrl::Directory(folder.to_owned());
    let place = Place::open(&config::Archive { url, bucket }).expect("a folder");
    for name in find(&place).await.unwrap_or_default() {
        let archive = Archive::open(place.inside(&name)).await.expect("it opens").expect("it is there");
        let each = |line: &Line| match line.record {
            RecordKind::Delivery { id, .. } => *found.entry(id).or_default() += 1,
            RecordKind::Decision { .. } => panic!("a decision in what was pruned"),
        };
        archive.verify(each).await.expect("it is whole");
    }
    found
}

#[tokio::test]
async fn a_kill_between_the_archive_and_the_removal_loses_nothing_and_the_next_run_goes_on() {
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().join("archive");
    let world = World::archiving(&place);
    let mut gateway = world.site.start();
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for n in 0..200 {
        let name = n.to_string();
        ids.insert(gateway.stripe(card(&name).to_string().as_bytes()).await.delivery_id(), name);
    }
    for id in ids.keys() {
        gateway.event_in(id, "settled", "PROVIDER_EVENT").await;
    }
    // First as soon as the archive is begun, then as soon as it is whole, then in the midst of removing.
    let oldest = ids.keys().next().expect("one").clone();
    for file in [Some("records-000001.ndjson.zst"), Some("manifest.json"), None] {
        let job = json!({"kind": "prune", "older_than": "0s"});
        let reply = gateway.admin("POST", "/api/v1/jobs", ADMIN_TOKEN, Some(&job)).await;
        assert_eq!(reply.status, 202, "{}", reply.json());
        let deadline = Instant::now() + PATIENCE;
        let is_time = async || match file {
            Some(file) => files(&place).iter().any(|path| path.ends_with(file)),
            None => raw(&gateway, &oldest).await.0 == 410,
        };
        while !is_time().await {
            assert!(Instant::now() < deadline, "{}", gateway.log());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        gateway = gateway.kill().start();
        // Whatever is gone from the log is in a whole archive.
        let kept = archived(&place).await;
        for (id, name) in &ids {
            match raw(&gateway, id).await {
                (200, body, _) => assert_eq!(body, card(name).to_string().into_bytes()),
                (410, ..) => assert!(kept.contains_key(&id.parse::<Uuid>().expect("an id")), "{id} is lost"),
                (status, _, body) => panic!("{status}: {body:#}"),
            }
        }
    }
    json_of(&evidence(&world.site, &gateway, ADMIN_TOKEN, ALL));
    let kept = archived(&place).await;
    assert_eq!(kept.len(), ids.len());
    assert!(kept.values().all(|archives| *archives == 1), "nothing is archived twice: {kept:?}");
    for id in ids.keys() {
        is_pruned(&gateway, id).await;
    }
    assert_eq!(gateway.admin("GET", "/api/v1/deliveries?limit=1", ADMIN_TOKEN, None).await.status, 200);
    json_of(&evidence(&world.site, &gateway, ADMIN_TOKEN, &["import", &place.display().to_string()]));
    for (id, name) in &ids {
        holds(&gateway, id, name).await;
    }
}

#[tokio::test]
async fn retention_by_bytes_keeps_the_youngest_without_being_asked() {
    let world = World::with(vec![("evidence", "retention = { bytes = \"1 MiB\", every = \"1s\" }".to_owned())]);
    let gateway = world.site.start();
    let mut ids = Vec::new();
    for n in 0..6 {
        let body = with(&card(&n.to_string()), json!({"padding": "x".repeat(300 << 10)}));
        let id = gateway.stripe(body.to_string().as_bytes()).await.delivery_id();
        gateway.event_in(&id, "settled", "PROVIDER_EVENT").await;
        ids.push(id);
    }
    let deadline = Instant::now() + PATIENCE;
    while raw(&gateway, &ids[2]).await.0 != 410 {
        assert!(Instant::now() < deadline, "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Three of 300 KiB fit into 1 MiB.
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(raw(&gateway, id).await.0, if n < 3 { 410 } else { 200 }, "{n}");
    }
    assert_eq!(is_pruned(&gateway, &ids[0]).await["by"], "retention");
    let jobs = gateway.admin("GET", "/api/v1/jobs", ADMIN_TOKEN, None).await.json();
    assert_eq!(jobs["data"]["items"][0]["by"], "retention", "{jobs:#}");
}
