//! Standard output and error. A reader that went away (`| head`) ends the command quietly.

use std::io::{ErrorKind, Write};

/// Writes a result to standard output.
///
/// # Errors
/// When it cannot be written; a closed pipe is no error.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes a failure to standard error; when even that is closed, the exit code still tells.
pub(super) fn complain(text: &str) {
    let _unheard = writeln!(std::io::stderr().lock(), "{}", text.trim_end());
}
