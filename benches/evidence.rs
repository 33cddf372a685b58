//! Group commit: what appending one by one costs against many at once, on the disk that holds the temporary folder.
//!
//! The ratio is the point, and it is printed at the end; absolute numbers flatter a virtual disk.

#![expect(clippy::unwrap_used, reason = "a bench that cannot set itself up stops")]
#![expect(clippy::print_stdout, reason = "a bench reports on standard output")]

use std::cell::Cell;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use evidence_store::{NewDelivery, Options, SignatureRecord, Store};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use uuid::Uuid;

/// Appends waiting at the same time.
const AT_ONCE: [u32; 4] = [1, 8, 32, 128];

/// Bytes of a body.
const BODY_BYTES: usize = 2 * 1024;

/// A delivery whose body no other has, so that none counts as a repeat.
fn delivery() -> NewDelivery {
    let id = Uuid::now_v7();
    let mut body = vec![b'7'; BODY_BYTES];
    body.splice(..16, *id.as_bytes());
    NewDelivery {
        id,
        source: "shop".into(),
        request_id: id.to_string(),
        peer: "192.0.2.1".into(),
        method: "POST".into(),
        target: "/hooks/shop".into(),
        http_version: "HTTP/1.1".into(),
        received_us: 1_790_000_000_000_000,
        headers: vec![(Bytes::from_static(b"content-type"), Bytes::from_static(b"application/json"))],
        body_sha256: tollgate::digest::sha256(&body),
        body: body.into(),
        signature: SignatureRecord { scheme: "stripe-v1".into(), secret_name: "a".into(), signed_at: None },
        admitted_from: None,
    }
}

/// Appends that many at once and waits until all are on disk; the time of it.
fn round(runtime: &Runtime, store: &Store, at_once: u32) -> Duration {
    let deliveries: Vec<_> = (0..at_once).map(|_| delivery()).collect();
    runtime.block_on(async {
        let started = Instant::now();
        let mut waiting = JoinSet::new();
        for delivery in deliveries {
            let store = store.clone();
            waiting.spawn(async move { store.append(delivery).await });
        }
        while let Some(stored) = waiting.join_next().await {
            stored.unwrap().unwrap();
        }
        started.elapsed()
    })
}

fn group_commit(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        path: folder.path().join("evidence"),
        reserve_bytes: 0,
        rejected_max_bytes: 1 << 20,
        repeats_max: 64,
        observer: None,
    };
    let store = Store::open(options).unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let mut group = criterion.benchmark_group("append");
    let mut one_by_one = None;
    for at_once in AT_ONCE {
        let (records, took) = (Cell::new(0_u32), Cell::new(Duration::ZERO));
        group.throughput(Throughput::Elements(u64::from(at_once)));
        group.bench_function(BenchmarkId::from_parameter(at_once), |bencher| {
            bencher.iter_custom(|rounds| {
                let total = (0..rounds).map(|_| round(&runtime, &store, at_once)).sum();
                records.set(records.get() + at_once * u32::try_from(rounds).unwrap());
                took.set(took.get() + total);
                total
            });
        });
        // A filter on the command line leaves some out.
        if records.get() == 0 {
            continue;
        }
        let each_s = took.get().as_secs_f64() / f64::from(records.get());
        let ratio = one_by_one.get_or_insert(each_s).to_owned() / each_s;
        println!("append/{at_once}: {:.0} deliveries a second, {ratio:.1} times the first\n", 1.0 / each_s);
    }
    group.finish();
    store.close();
}

criterion_group!(evidence, group_commit);
criterion_main!(evidence);
