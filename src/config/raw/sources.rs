//! `[[sources]]` and `[verification]`.

use super::lifetime;
use crate::config::read::Count;
use crate::config::section::section;
use crate::config::value::{
    Algorithm, Block, Decimal, Encoding, Entry, EvmAddress, Folder, HeaderName, Label, MinAssurance, Name, Pattern,
    Pointer, ProviderName, Shed, Span, UrlPath,
};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

section! {
    /// `[[sources]]`
    struct Source {
        /// Unique; stands in metrics, records and messages.
        name: required Name;
        /// Who posts here.
        provider: required ProviderName;
        /// Unique path of the public listener.
        path: required UrlPath;
        /// Live secrets, newest first; at least one. Each is a reference, or {ref, name, not_after}.
        secrets: list Entry;
        /// Largest age and skew of a signed timestamp.
        tolerance: default Span<SECOND, DAY> = "300s";
        /// Keeps equal ids of different accounts apart; without it the provider's name for stripe and request-network,
        /// the source's name for others. Never change it later: it is part of every event's identity.
        realm: optional Label;
        /// Whether live events are expected (stripe); events of the other mode end as TEST_MODE.
        livemode: default bool = true;
        /// Only these Stripe accounts (stripe); without it all.
        accounts: list Label;
        /// Only these client ids (request-network); without it all.
        client_ids: list Label;
        /// Only these senders; without it all.
        allow_ips: list Block;
        /// Which event types go on.
        types: table Types;
        /// Least assurance of payment.verified: A2 proves recipient, token and amount, A3 the payment reference too.
        min_assurance: default MinAssurance = "A2";
        /// When it is answered 503 as the disk fills: first, at evidence.watermarks.shed; middle, half-way between that and
        /// the reserve; last, only at the reserve. Without it first for stripe, which tries again for three days, last
        /// for request-network, which gives up after 21 seconds, and middle for others.
        shed: optional Shed;
        /// How long its deliveries are kept, where that differs from evidence.retention.
        retention: table lifetime::SourceRetention;
        /// Destinations by name; without it "default".
        forward_to: list Name;
        /// Header that holds the signature (hmac, required there).
        header: optional HeaderName;
        /// MAC (hmac); without it sha256.
        algorithm: optional Algorithm;
        /// Text form of the signature (hmac); without it hex.
        encoding: optional Encoding;
        /// Text in front of the signature, such as "sha256=" (hmac); without it none.
        prefix: optional Label;
        /// JSON pointers into the signed body that make the identity (hmac); without it the whole body.
        identity: list Pointer;
    }

    /// `[sources.types]`
    struct Types {
        /// Only these types; without it all.
        forward: list Pattern;
        /// Never these types; wins over forward.
        ignore: list Pattern;
    }

    /// `[verification]`
    struct Verification {
        /// Whether a payment needs an expectation from the backend. false needs recipients.
        require_expectation: default bool = true;
        /// The only addresses that may receive, expectations included; without it expectations decide.
        recipients: list EvmAddress;
        /// How long a claim that the chain cannot answer is tried before it is held.
        give_up: default Span<MINUTE, { 30 * DAY }> = "24h";
        /// By how much an amount may differ where the expectation does not say.
        tolerance: table Tolerance;
        /// How long a thin Stripe event waits for its snapshot.
        twin_grace: default Span<0, DAY> = "10m";
        /// How long a forwarded payment whose block is gone is searched for before it is retracted; at least ten blocks.
        regrace: default Span<0, DAY> = "60s";
        /// Most US dollars per chain that may be forwarded and not final; beyond it a payment waits until it is final.
        exposure_cap: optional Count<1, 1_000_000_000>;
        /// Whether the chains are searched for payments that no webhook announced.
        scan: default bool = true;
        /// How long that goes on after an expectation has ended.
        late_watch: default Span<0, { 365 * DAY }> = "30d";
        /// Blocks asked for at once; less when a node cannot answer so much.
        scan_range: default Count<1, 100_000> = 1000;
        /// Addresses that nobody may have in a payment.
        screening: table Screening;
    }

    /// `[verification.screening]`
    struct Screening {
        /// Deny lists: one 0x address a line, # for comments, or a JSON array of texts; without it nothing is screened.
        files: list Folder;
        /// How old a list may be. Beyond it the payments of the two highest tiers wait, others go on with a note.
        max_age: default Span<HOUR, { 90 * DAY }> = "48h";
        /// Contracts that list sanctioned addresses (isSanctioned), by active chain; asked beside the lists.
        oracle: names EvmAddress;
    }

    /// `[verification.tolerance]`
    struct Tolerance {
        /// Absolute, in whole tokens.
        abs: default Decimal = "0";
        /// Relative, in basis points (100 is one percent).
        bps: default Count<0, 1000> = 0;
    }
}
