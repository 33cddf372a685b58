//! A record that somebody took out of the log behind the gateway's back: `evidence verify` says so and names the first.

use rocksdb::{DB, Options};

use super::{MANY, end, evidence, opened, post, says, site};
use crate::support::gateway::Site;

/// Deletes records as somebody who has the folder and RocksDB would.
fn take_out(site: &Site, records: &[u64]) {
    let (folder, options) = (site.data().join("evidence/log"), Options::default());
    let families = DB::list_cf(&options, &folder).expect("its families");
    let db = DB::open_cf(&options, &folder, families).expect("it opens");
    let family = db.cf_handle("records").expect("the records");
    for record in records {
        db.delete_cf(family, record.to_be_bytes()).expect("deleted");
    }
}

/// A stopped gateway's site, where its deliveries are in the log, and its last record.
async fn filled() -> (Site, Vec<u64>, u64) {
    let site = site();
    let gateway = site.start();
    let all = post(&gateway, MANY).await;
    end(gateway);
    let store = opened(&site);
    let record = |id: &str| store.delivery(id.parse().expect("an id")).expect("reads").expect("is there").seq;
    let records = all.iter().map(|(id, _)| record(id)).collect();
    let last = store.head().seq;
    drop(store);
    (site, records, last)
}

#[tokio::test]
async fn records_that_were_taken_out_are_missed_and_the_first_one_is_named() {
    let (site, records, last) = filled().await;
    let (first, second) = (records[1], records[3]);
    says(&evidence(&site, &["verify"]), 0, &["are right", "70 deliveries"]);

    take_out(&site, &[second]);
    says(&evidence(&site, &["verify"]), 4, &[&format!("record {second} is missing"), "restore a backup"]);
    take_out(&site, &[first]);
    let told = evidence(&site, &["verify", "--json"]);
    let right = first - 1;
    says(&told, 4, &[&format!("record {first} is missing"), &format!("{right} records before it are right")]);
    let report: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!((&report["ok"], &report["finding"]["record"]), (&false.into(), &first.into()), "{report:#}");
    assert_eq!(report["finding"]["wrong"], "missing");
    says(&evidence(&site, &["verify", "--to", &right.to_string()]), 0, &["are right"]);

    // Of the last ones every start reads some, so that without them nothing is taken and nothing opens.
    take_out(&site, &[last - 1]);
    site.fails_to_start(&[]).assert(4, &[&format!("record {}", last - 1)]);
    says(&evidence(&site, &["verify"]), 4, &[&format!("record {}: it is missing", last - 1)]);
}
