//! Promise 1 and 3 when the power is cut: as in `kill.rs`, and each time the process dies, what neither the evidence log
//! nor the ledger had fsynced is gone, wholly or in part.
//!
//! The whole gateway runs on a disk that records every change and every fsync; each next life begins with what a power
//! cut at the moment of the kill could have left of log and ledger. `TOLLGATE_IT_POWER_CUTS=50` makes it long.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::faulty::trace::Trace;
use crate::faulty::{Model, Random, Shim, Survivors};
use crate::kill;
use crate::support::gateway::{Site, text};

/// Cuts when nobody asks for more.
const CUTS: u64 = 3;
/// Says how many.
const CUTS_VARIABLE: &str = "TOLLGATE_IT_POWER_CUTS";

#[expect(clippy::disallowed_methods, reason = "a test's own length is no configuration of the gateway")]
fn cuts() -> u64 {
    std::env::var(CUTS_VARIABLE).map_or(CUTS, |text| text.parse().expect(CUTS_VARIABLE))
}

/// A gateway's disk.
struct Disk {
    shim: Shim,
    /// What happened since the last start of the machine, and room for what is left.
    beside: TempDir,
    /// The disk when the machine started.
    model: Option<Model>,
}

impl Disk {
    fn trace(&self) -> PathBuf {
        self.beside.path().join("trace")
    }

    /// The machine starts: all that is on the disk is safe.
    fn starts(&mut self, site: &Site) {
        drop(std::fs::remove_file(self.trace()));
        self.model = Some(Model::load(&site.folder()));
    }

    /// The power goes. What it leaves takes the place of the data.
    fn cut(&mut self, site: &Site, seed: u64) {
        let mut model = self.model.take().expect("it had started");
        Trace::read(&self.trace()).ops.iter().for_each(|op| model.apply(op));
        let mut random = Random(seed);
        let survivors = match random.below(3) {
            0 => Survivors::None,
            1 => Survivors::Beginnings(&mut random),
            _ => Survivors::Pages(&mut random),
        };
        let left = self.beside.path().join("left");
        model.cut(survivors, &left);
        std::fs::remove_dir_all(site.data()).expect("the data goes");
        // Where even the folder's name was not safe, the next life begins with nothing.
        drop(std::fs::rename(left.join("data"), site.data()));
        std::fs::remove_dir_all(&left).expect("the rest goes");
        // The model keeps names and contents; a mode is as durable as the name.
        let key = site.data().join("evidence/seal.key");
        if key.exists() {
            std::fs::set_permissions(key, Permissions::from_mode(0o600)).expect("the key is the owner's");
        }
        self.starts(site);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_doubled_or_half_there_when_the_power_is_cut_at_any_moment() {
    let beside = tempfile::tempdir().expect("a folder");
    let disk = std::cell::RefCell::new(Disk { shim: Shim::build(), beside, model: None });
    let prepare = |site: &mut Site| {
        let mut disk = disk.borrow_mut();
        for (name, value) in disk.shim.environment(&site.folder(), &disk.trace(), "") {
            site.set(name, &text(&value));
        }
        disk.starts(site);
    };
    kill::ordeal(cuts(), prepare, |site, seed| disk.borrow_mut().cut(site, seed)).await;
}
