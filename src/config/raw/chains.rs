//! `[chains.NAME]`: which nodes are asked, and what differs from the built-in data.
//!
//! The second half is `chain_config`'s own: here its keys are checked and its references followed, so that a slip is
//! named with its full path; its meaning is checked where the chain's data is.

use crate::config::read::{Count, Reader, Value, join};
use crate::config::section::section;
use crate::config::shape::{Field, Shape};
use crate::config::tree::{Item, Node, Table};
use crate::config::value::{
    Decimal, EvmAddress, Finality, Hash, HttpUrl, Label, Name, ProofMode, Span, TokenClass, WsUrl,
};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// Remembered blocks, and seconds of a standing tag (a week), as `chain_config` bounds them.
const WINDOW_MAX: u64 = 100_000;
const STALL_MAX: u64 = 604_800;

/// Compute units a second; the largest plans on sale give some ten thousand.
const RATE_MAX: u64 = 1_000_000;

/// Blocks until a transaction counts as dropped, as `chain_config` bounds them.
const DROP_MAX: u64 = 100_000;

/// Largest chain id or height that JSON tools keep exact (2^53 - 1).
const EXACT_MAX: u64 = 9_007_199_254_740_991;

section! {
    /// What the gateway needs to read a chain.
    struct Reading {
        /// JSON-RPC nodes; at least agree of them, run by at least owners different owners.
        rpc: list RpcNode;
        /// Nodes that must say the same.
        agree: default Count<1, 16> = 2;
        /// Different owners among those.
        owners: default Count<1, 16> = 2;
        /// Lets agree and owners fall to what the nodes can give, down to one node that is simply believed.
        allow_single_node: default bool = false;
        /// Between looks at the head; without it the chain's own.
        poll: optional Span<100, { 5 * MINUTE }>;
    }

    /// `[[chains.NAME.rpc]]`
    struct RpcNode {
        /// Unique in the chain; stands in votes and metrics.
        name: required Name;
        /// Who runs it: nodes of one owner are one opinion.
        owner: required Label;
        /// Its endpoint; keys in path or query are never shown.
        url: required HttpUrl;
        /// Its WebSocket endpoint: a new block that it announces is looked at without waiting for the next poll.
        ws: optional WsUrl;
        /// Compute units a second that it may be asked for; without it calls are not paced.
        rate: optional Count<1, RATE_MAX>;
        /// What kind of node it is, such as light-client.
        tag: optional Name;
    }

    /// What differs from the built-in data, or makes a new chain.
    struct Data {
        /// EIP-155 chain id; required for a chain that is not built in.
        chain_id: optional Count<1, EXACT_MAX>;
        /// Whether its money is play money.
        testnet: optional bool;
        /// The native coin.
        native: optional Native;
        /// Base URL of an explorer, for links in messages.
        explorer: optional HttpUrl;
        /// Milliseconds between blocks.
        block_time_ms: optional Count<1, HOUR>;
        /// Milliseconds between looks at the head.
        head_poll_ms: optional Count<100, HOUR>;
        /// Blocks of hashes to remember, to see reorganisations; raised when a tier needs more.
        reorg_window_blocks: optional Count<1, WINDOW_MAX>;
        /// Seconds without progress after which the safe and finalized tags count as stalled.
        tag_stall_alert_s: optional Count<1, STALL_MAX>;
        /// Hash of block 0; a node with another one is refused.
        genesis: optional Hash;
        /// How a receipt is proven: full by the block's own roots, quorum by what several operators say alone.
        proof: optional ProofMode;
        /// First block whose state sync is under its receipts root; Polygon and its test chains alone have one.
        state_sync_until: optional Count<1, EXACT_MAX>;
        /// Blocks without a transaction after which it counts as dropped.
        drop_after_blocks: optional Count<1, DROP_MAX>;
        /// Asks nodes for call traces where only they can show a payment: coin that a contract passes on.
        trace: optional bool;
        /// How deep a payment must be, by its value in US dollars; replaces the built-in tiers.
        finality: list Tier;
        /// Further tokens; one of an address that is built in replaces it.
        tokens: list Token;
        /// Further contracts of Request Network.
        contracts: optional Contracts;
        /// Further names that providers use.
        names: optional Names;
    }

    /// `native`
    struct Native {
        /// Symbol, such as ETH.
        symbol: required Label;
        /// Decimals.
        decimals: required Count<0, 36>;
    }

    /// `finality`
    struct Tier {
        /// Largest value in whole US dollars; the last tier leaves it out.
        up_to_usd: optional Count<1, 1_000_000_000>;
        /// Blocks on top, the payment's own counted.
        confirmations: required Count<1, 100_000>;
        /// Block tag that must cover the payment too.
        tag: optional Finality;
    }

    /// `tokens`
    struct Token {
        /// Symbol, such as USDC.
        symbol: required Label;
        /// Contract.
        address: required EvmAddress;
        /// Decimals.
        decimals: required Count<0, 36>;
        /// US dollars per whole token, only to choose a finality tier; without it the strictest.
        usd: optional Decimal;
        /// How it moves; without it plain.
        class: optional TokenClass;
        /// Of class fee_on_transfer: credits what arrived when it is less than the proxy says; else it is held.
        credit_received: optional bool;
    }

    /// `contracts`
    struct Contracts {
        /// ERC20FeeProxy.
        erc20_fee_proxy: list EvmAddress;
        /// EthereumFeeProxy.
        eth_fee_proxy: list EvmAddress;
        /// ERC20Proxy, without a fee.
        erc20_proxy: list EvmAddress;
        /// EthereumProxy, without a fee.
        eth_proxy: list EvmAddress;
        /// Erc20ConversionProxy.
        erc20_conversion_proxy: list EvmAddress;
        /// EthConversionProxy.
        eth_conversion_proxy: list EvmAddress;
        /// ERC20CommerceEscrowWrapper.
        escrow: list EvmAddress;
        /// ERC20TransferableReceivable.
        transferable_receivable: list EvmAddress;
    }

    /// `names`
    struct Names {
        /// As in Request Network's webhooks.
        request_network: list Label;
        /// As in Stripe's.
        stripe: list Label;
    }
}

/// One chain's table, read.
#[derive(Clone)]
pub(in crate::config) struct ChainTable {
    /// What the gateway needs.
    pub(in crate::config) reading: Reading,
    /// What `chain_config` gets, with references followed.
    pub(in crate::config) over: toml::Value,
}

impl Value for ChainTable {
    fn shape() -> Shape {
        Shape::Table(fields())
    }

    fn read(node: &Node, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let table = reader.table(node, key)?;
        reader.refuse_unknown(table, key, &fields());
        let reading = Reading::read_keys(table, key, reader)?;
        // Only what is written is shown: the built-in data fills the rest.
        let shown = reader.effective.len();
        let absent: Vec<String> = Data::fields()
            .iter()
            .filter(|field| !table.contains_key(field.key))
            .map(|field| join(key, field.key))
            .collect();
        Data::read_keys(table, key, reader);
        let mut index = 0;
        reader.effective.retain(|entry| {
            index += 1;
            index <= shown || !absent.contains(&entry.key)
        });
        let mut over = Table::new();
        for field in Data::fields() {
            let Some(node) = table.get(field.key) else { continue };
            // What has a problem already is left out, so that it is told once.
            if !reader.is_broken(&join(key, field.key)) {
                over.insert(field.key.to_owned(), followed(node, reader));
            }
        }
        let over = Node { item: Item::Table(over), origin: node.origin.clone() };
        Some(Self { reading, over: over.plain() })
    }
}

fn fields() -> Vec<Field> {
    let mut fields = Reading::fields();
    fields.extend(Data::fields());
    fields
}

/// The node with its references followed. Broken ones were noted when the keys were read.
fn followed(node: &Node, reader: &Reader<'_>) -> Node {
    let item = match &node.item {
        Item::Text(text) => {
            let resolved = crate::config::reference::resolve(text, &node.origin, reader.environment);
            Item::Text(resolved.map_or_else(|_| text.clone(), |resolved| resolved.text))
        }
        Item::List(list) => Item::List(list.iter().map(|node| followed(node, reader)).collect()),
        Item::Table(table) => {
            Item::Table(table.iter().map(|(key, node)| (key.clone(), followed(node, reader))).collect())
        }
        other => other.clone(),
    };
    Node { item, origin: node.origin.clone() }
}
