//! The methods that nodes are asked, and what they cost. It must never hold one that changes anything on a chain.

/// The methods used, as a closed set: they label a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `eth_chainId`
    ChainId,
    /// `eth_blockNumber`
    BlockNumber,
    /// `eth_getTransactionReceipt`
    Receipt,
    /// `eth_getBlockReceipts`
    BlockReceipts,
    /// `eth_getBlockByNumber`
    Block,
    /// `eth_getBlockByHash`
    BlockByHash,
    /// `eth_getTransactionByHash`
    Transaction,
    /// `eth_getTransactionByBlockHashAndIndex`
    TransactionAt,
    /// `eth_getTransactionCount`
    TransactionCount,
    /// `eth_getLogs`
    Logs,
    /// `eth_call`
    Call,
    /// `debug_traceTransaction`
    Trace,
    /// `trace_transaction`
    FlatTrace,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 13] = [
        Self::ChainId,
        Self::BlockNumber,
        Self::Receipt,
        Self::BlockReceipts,
        Self::Block,
        Self::BlockByHash,
        Self::Transaction,
        Self::TransactionAt,
        Self::TransactionCount,
        Self::Logs,
        Self::Call,
        Self::Trace,
        Self::FlatTrace,
    ];

    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChainId => "eth_chainId",
            Self::BlockNumber => "eth_blockNumber",
            Self::Receipt => "eth_getTransactionReceipt",
            Self::BlockReceipts => "eth_getBlockReceipts",
            Self::Block => "eth_getBlockByNumber",
            Self::BlockByHash => "eth_getBlockByHash",
            Self::Transaction => "eth_getTransactionByHash",
            Self::TransactionAt => "eth_getTransactionByBlockHashAndIndex",
            Self::TransactionCount => "eth_getTransactionCount",
            Self::Logs => "eth_getLogs",
            Self::Call => "eth_call",
            Self::Trace => "debug_traceTransaction",
            Self::FlatTrace => "trace_transaction",
        }
    }

    /// What a call costs, in the compute units that Alchemy publishes; others bill in like proportions.
    #[must_use]
    pub const fn cost(self) -> u32 {
        match self {
            Self::ChainId => 0,
            Self::BlockNumber => 10,
            Self::Receipt
            | Self::BlockReceipts
            | Self::Block
            | Self::BlockByHash
            | Self::Transaction
            | Self::TransactionAt
            | Self::TransactionCount => 20,
            Self::Call => 26,
            Self::Trace | Self::FlatTrace => 40,
            Self::Logs => 60,
        }
    }

    /// Whether a sound answer can be too large: a node is not blamed for that.
    #[must_use]
    pub const fn may_be_large(self) -> bool {
        match self {
            Self::BlockReceipts
            | Self::Logs
            | Self::Call
            | Self::Trace
            | Self::FlatTrace
            | Self::Transaction
            | Self::TransactionAt => true,
            Self::ChainId
            | Self::BlockNumber
            | Self::Receipt
            | Self::Block
            | Self::BlockByHash
            | Self::TransactionCount => false,
        }
    }
}
