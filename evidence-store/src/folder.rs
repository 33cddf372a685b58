//! Folders whose names survive a power cut. An fsync of a file says nothing about the name of the folder it lies in:
//! without this a new log could be gone with all that it had acknowledged.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Makes a folder, with those above it, and fsyncs what holds their names: up to the mount point, or to a folder that
/// this user may not read and so did not make.
pub(crate) fn make_durable(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    let path = fs::canonicalize(path)?;
    let disk = path.metadata()?.dev();
    for above in path.ancestors().skip(1) {
        let folder = match File::open(above) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
            opened => opened?,
        };
        if folder.metadata()?.dev() != disk {
            break;
        }
        folder.sync_all()?;
    }
    Ok(())
}
