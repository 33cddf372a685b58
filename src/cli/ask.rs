//! What a command asks its terminal: ids on standard input, and whether the operator is sure.

use std::io::{BufRead, IsTerminal, Read};

use super::output::note;
use super::{Exit, Failure};

/// Most bytes of ids taken from standard input: more than 400,000 of them.
const STDIN_BYTES_MAX: u64 = 16 << 20;

/// `--yes`, for commands that destroy.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Ask {
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub yes: bool,
}

impl Ask {
    /// Goes on only if `--yes` was given or the operator says so. `context` says what would be done, to how many.
    ///
    /// # Errors
    /// When the answer is no, or nobody is there to answer.
    pub fn confirm(self, context: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            let message = format!("{context}\nnobody is here to confirm it: add --yes");
            return Err(Failure::new(Exit::Usage, message));
        }
        note(&format!("{context}\nGo on? Type yes:"));
        let mut answer = String::new();
        std::io::stdin().lock().take(STDIN_BYTES_MAX).read_line(&mut answer)?;
        if answer.trim().eq_ignore_ascii_case("yes") {
            return Ok(());
        }
        Err(Failure::new(Exit::Failed, "nothing was done"))
    }
}

/// The ids that were given; `-` stands for one a line on standard input.
///
/// # Errors
/// When standard input cannot be read, is no text or is too long, or no id came.
pub fn ids(given: &[String]) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    for id in given {
        if id == "-" {
            ids.extend(lines(std::io::stdin().lock())?);
        } else {
            ids.push(id.clone());
        }
    }
    if ids.is_empty() {
        return Err(Failure::new(Exit::Usage, "no id was given: name one, or write one a line to standard input"));
    }
    Ok(ids)
}

fn lines(from: impl Read) -> Result<Vec<String>, Failure> {
    let mut text = String::new();
    let read = from.take(STDIN_BYTES_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| STDIN_BYTES_MAX < read) {
        let message = format!("more than {} MiB of ids: give fewer at once", STDIN_BYTES_MAX >> 20);
        return Err(Failure::new(Exit::Usage, message));
    }
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::{STDIN_BYTES_MAX, lines};

    #[test]
    fn ids_come_one_a_line_and_bounded() {
        assert_eq!(lines(" a\r\n\nb \n".as_bytes()).unwrap(), ["a", "b"]);
        let endless = std::io::repeat(b'a');
        assert!(lines(endless).unwrap_err().message.contains("fewer"), "more than {STDIN_BYTES_MAX}");
    }
}
