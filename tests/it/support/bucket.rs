//! A real S3-compatible server (`s3rver` from npm) with one bucket.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tollgate::demo::parts::Parts;

/// The bucket it has.
pub(crate) const BUCKET: &str = "evidence-archive";
/// Both keys of the server.
pub(crate) const KEY: &str = "S3RVER";

/// See the module. Dropping it ends the server.
pub(crate) struct BucketServer {
    child: Child,
    folder: TempDir,
    pub(crate) endpoint: String,
}

impl BucketServer {
    pub(crate) fn start() -> Self {
        let parts = Parts::find().unwrap_or_else(|missing| panic!("{missing}"));
        let program = parts.folder().join("s3rver/bin/s3rver.js");
        assert!(program.is_file(), "the npm package s3rver is missing: run `scripts/bootstrap parts` in the checkout");
        let folder = TempDir::new().expect("a temporary folder");
        let mut child = Command::new("node")
            .arg(program)
            .args(["--address", "127.0.0.1", "--port", "0", "--configure-bucket", BUCKET, "--directory"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("node does not start ({error}): run `scripts/bootstrap parts`"));
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let listening = |line: String| line.rsplit_once(" listening on ").map(|(_, address)| address.to_owned());
        let address = lines.find_map(listening).expect("it says where it listens");
        // It logs every request: an output that nobody reads would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, folder, endpoint: format!("http://{address}") }
    }

    /// Where the server keeps the bucket's objects.
    pub(crate) fn objects(&self) -> std::path::PathBuf {
        self.folder.path().join(BUCKET)
    }
}

impl Drop for BucketServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
