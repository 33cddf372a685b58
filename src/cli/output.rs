//! Standard output and error. A reader that went away (`| head`) ends the command quietly.

use std::io::{ErrorKind, Write};

/// Writes a result to standard output.
///
/// # Errors
/// When it cannot be written; a closed pipe is no error.
pub fn print(text: &str) -> std::io::Result<()> {
    bytes(text.as_bytes())
}

/// Writes bytes as they are to standard output.
///
/// # Errors
/// As [`print`].
pub(super) fn bytes(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Says something beside the result, on standard error.
pub(super) fn note(text: &str) {
    complain(text);
}

/// Writes a failure to standard error; when even that is closed, the exit code still tells.
pub(super) fn complain(text: &str) {
    let _unheard = writeln!(std::io::stderr().lock(), "{}", text.trim_end());
}
