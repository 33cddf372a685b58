//! `[ingress]`, `[admin]`, `[telemetry]`, `[shutdown]`, `[evidence]`, `[ledger]`, `[backup]`.

use crate::config::raw::lifetime;
use crate::config::read::Count;
use crate::config::section::section;
use crate::config::value::{
    Block, Engine, Folder, HttpUrl, Listen, LogFilter, LogFormat, Name, Role, SecretText, Size, Span, UrlPath,
};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;

section! {
    /// `[ingress]`
    struct Ingress {
        /// Address and port where providers post. TLS ends at a proxy in front.
        listen: default Listen = "0.0.0.0:8080";
        /// Largest body, also when it comes in chunks.
        max_body: default Size<KIB, { 64 * MIB }> = "1 MiB";
        /// Largest header section.
        max_headers: default Size<{ 8 * KIB }, MIB> = "32 KiB";
        /// Open connections; more wait to be accepted.
        max_connections: default Count<1, 65_536> = 1024;
        /// From accept to the first byte of a request.
        first_byte_timeout: default Span<100, { 5 * MINUTE }> = "10s";
        /// From the first byte to the end of the header section.
        header_timeout: default Span<100, { 5 * MINUTE }> = "10s";
        /// The whole body.
        body_timeout: default Span<100, { 10 * MINUTE }> = "20s";
        /// Slowest body after its first second, per second.
        min_body_rate: default Size<1, { 16 * MIB }> = "1 KiB";
        /// Networks whose X-Forwarded-For header is believed; none by default.
        trusted_proxies: list Block;
        /// A path that answers 200 for load balancers; without it there is none.
        health_path: optional UrlPath;
    }

    /// `[admin]`
    struct Admin {
        /// Address and port for operators and the backend. Beyond loopback it needs tokens.
        listen: default Listen = "127.0.0.1:9600";
        /// Who may call.
        tokens: list Token;
    }

    /// `[[admin.tokens]]`
    struct Token {
        /// Unique; stands in the audit trail.
        name: required Name;
        /// What it may do.
        role: required Role;
        /// The token itself.
        secret: required SecretText;
        /// Only these sources; without it all.
        sources: list Name;
    }

    /// `[telemetry]`
    struct Telemetry {
        /// Address and port that serve health and metrics without a token; without it only the admin listener does.
        listen: optional Listen;
        /// Logs, to standard error.
        log: table Log;
    }

    /// `[telemetry.log]`
    struct Log {
        /// json is one object a line, text is for people.
        format: default LogFormat = "json";
        /// What is logged.
        level: default LogFilter = "info";
    }

    /// `[shutdown]`
    struct Shutdown {
        /// After SIGTERM, readyz says 503 and requests are still taken for this long.
        delay: default Span<0, { 5 * MINUTE }> = "5s";
        /// Then open requests may take this long to finish.
        grace: default Span<0, { 10 * MINUTE }> = "20s";
    }

    /// `[evidence]`
    struct Evidence {
        /// The log's folder; without it evidence inside data_dir.
        path: optional Folder;
        /// Free space on its disk below which deliveries are answered 503.
        reserve: default Size<MIB, { 64 * TIB }> = "1 GiB";
        /// Space for rejected requests, per source. One peer fills at most half; the loudest make room first.
        rejected_max: default Size<MIB, { 64 * GIB }> = "64 MiB";
        /// Copies of one signed body that a source stores; more are counted and acknowledged.
        repeats_max: default Count<1, 1_000_000> = 64;
        /// What happens before the reserve is reached.
        watermarks: table lifetime::Watermarks;
        /// How long evidence is kept; without age and bytes, for ever.
        retention: table lifetime::Retention;
        /// Where evidence goes before it is deleted here.
        archive: table lifetime::Archive;
        /// Signed checkpoints of the log.
        seal: table Seal;
    }

    /// `[evidence.seal]`
    struct Seal {
        /// The key that signs, a file of 32 bytes that only its owner may read; made on the first start. Without it
        /// seal.key inside the log's folder.
        key: optional Folder;
        /// Between checkpoints, when the log grew.
        every: default Span<SECOND, { 60 * MINUTE }> = "10s";
        /// A file that each checkpoint is appended to.
        publish_file: optional Folder;
        /// Where each checkpoint is posted, as text. Plain http needs a loopback address.
        publish_url: optional HttpUrl;
    }

    /// `[ledger]`
    struct Ledger {
        /// Where events and messages are kept.
        engine: default Engine = "sqlite";
        /// The database file; without it ledger.db inside data_dir.
        path: optional Folder;
    }

    /// `[backup]`
    struct Backup {
        /// Where backups go, each a folder; without it backups inside data_dir. Better another disk.
        path: optional Folder;
    }
}
