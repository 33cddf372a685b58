//! What a test does to the process itself: starts that fail, signals, kills before it listens.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Gateway, Log, PATIENCE, Site, http};

/// Between looks at a process.
const LOOK: Duration = Duration::from_millis(10);

/// A `serve` that does not listen yet. Dropping it leaves the process to its site's next start.
pub(crate) struct Starting {
    child: Child,
    site: Site,
    log: Log,
}

impl Starting {
    /// Waits until the log holds these words.
    pub(crate) async fn says(&self, words: &str) {
        self.log.says(words).await;
    }

    /// SIGTERM before it listens, and how it ends.
    pub(crate) fn terminate(mut self) -> Ended {
        send("TERM", self.child.id());
        let code = wait(&mut self.child);
        drop(self.child.kill());
        drop(self.child.wait());
        let text = self.log.text();
        Ended { code: code.unwrap_or_else(|| panic!("it goes on starting:\n{text}")), text }
    }

    /// Waits until it listens.
    pub(crate) fn listens(self) -> Gateway {
        let Self { mut child, site, log } = self;
        let Some((public, admin)) = log.addresses() else {
            drop(child.kill());
            panic!("serve did not listen:\n{}", log.text());
        };
        Gateway { child, site, log, public, admin, client: http::client() }
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard error and output.
    pub(crate) text: String,
}

impl Ended {
    /// Fails unless it ended with this code and said all of this.
    pub(crate) fn assert(&self, code: i32, said: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.text);
        for words in said {
            assert!(self.text.contains(words), "expected {words:?} in:\n{}", self.text);
        }
    }
}

impl Site {
    /// Sets an environment variable of this site's processes.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Takes an environment variable away.
    pub(crate) fn unset(&mut self, name: &str) {
        self.environment.remove(name);
    }

    /// Starts `serve`; it waits for another process to let go of the data.
    pub(crate) fn begin(&self) -> Starting {
        let mut child = self.serve(&["--lock-wait", "10s"]);
        let log = Log::follow(child.stderr.take().expect("its log"));
        Starting { child, site: self.clone(), log }
    }

    /// `serve` that must not come to serve: runs it to its end and kills it when there is none.
    pub(crate) fn fails_to_start(&self, arguments: &[&str]) -> Ended {
        let mut child = self.serve(arguments);
        let mut stderr = child.stderr.take().expect("its log");
        let reading = std::thread::spawn(move || {
            let mut text = Vec::new();
            drop(stderr.read_to_end(&mut text));
            String::from_utf8_lossy(&text).into_owned()
        });
        let code = wait(&mut child);
        drop(child.kill());
        drop(child.wait());
        let text = reading.join().expect("the log is read");
        Ended { code: code.unwrap_or_else(|| panic!("it goes on serving:\n{text}")), text }
    }

    /// `check` or another command that ends by itself.
    pub(crate) fn ends(&self, arguments: &[&str]) -> Ended {
        let (status, text) = self.run(arguments);
        Ended { code: status.code(), text }
    }

    /// Starts `serve` and kills it after so long, whatever it is doing by then.
    pub(crate) async fn start_and_kill(&self, after: Duration) {
        let mut child = self.serve(&["--lock-wait", "10s"]);
        tokio::time::sleep(after).await;
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
    }

    fn serve(&self, arguments: &[&str]) -> Child {
        let mut command = self.command();
        command.args(["serve", "--config"]).arg(self.file()).args(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts")
    }
}

impl Gateway {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its status").is_none()
    }

    /// Ends it in order; the site can start again.
    pub(crate) fn stop(self) -> Site {
        let site = self.site.clone();
        let (status, log) = self.terminate();
        assert_eq!(status.code(), Some(0), "{log}");
        site
    }

    /// Sends a signal, `TERM` or `INT`.
    pub(crate) fn signal(&self, name: &str) {
        send(name, self.pid());
    }

    /// Waits until the log holds these words.
    pub(crate) async fn says(&self, words: &str) {
        self.log.says(words).await;
    }
}

impl Log {
    async fn says(&self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.text().contains(words) {
            assert!(Instant::now() < deadline, "it never says {words:?}:\n{}", self.text());
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Sends a signal to a process.
pub(super) fn send(signal: &str, process: u32) {
    let status = Command::new("kill").args([format!("-{signal}"), process.to_string()]).status();
    assert!(status.expect("kill runs").success(), "no {signal} for {process}");
}

/// The exit code, once it ended; none when it did not.
fn wait(child: &mut Child) -> Option<Option<i32>> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("its status") {
            return Some(status.code());
        }
        std::thread::sleep(LOOK);
    }
    None
}
