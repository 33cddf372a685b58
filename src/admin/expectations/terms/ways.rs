//! Ways to pay: which token, on which chain, how much of it, to whom.

use alloy_primitives::Address;
use chain_config::{amount, parse_address};

use super::{Body, Reader, Way};
use crate::model::Accept;

/// Ways to pay in one expectation.
const ACCEPT_MAX: usize = 16;
/// Recipients of one way.
const RECIPIENTS_MAX: usize = 32;

impl Reader<'_> {
    /// `accept`, or the flat form as one of them.
    pub(super) fn ways(&mut self, body: &mut Body) -> Vec<Way> {
        let accept = body.accept.take().unwrap_or_default();
        let flat = [&body.chain, &body.token, &body.recipient, &body.amount];
        let given = flat.iter().filter(|field| field.is_some()).count();
        if given == 0 {
            if accept.is_empty() || ACCEPT_MAX < accept.len() {
                self.say(
                    "accept",
                    format!("1 to {ACCEPT_MAX} ways to pay, or the flat chain, token, recipient, amount"),
                );
            }
            return accept;
        }
        match (body.chain.take(), body.token.take(), body.recipient.take(), body.amount.take()) {
            (Some(chain), Some(token), Some(recipient), Some(amount)) if accept.is_empty() => {
                vec![Way { chain, token, recipients: vec![recipient], amount }]
            }
            _ => {
                self.say("accept", "either accept, or all of chain, token, recipient and amount".to_owned());
                Vec::new()
            }
        }
    }

    pub(super) fn accept(&mut self, index: usize, way: &Way) -> Option<Accept> {
        let at = |field: &str| format!("accept[{index}].{field}");
        let Some(active) = self.config.chains.get(&way.chain) else {
            let known: Vec<&str> = self.config.chains.keys().map(String::as_str).collect();
            self.say(at("chain"), format!("not configured; one of: {}", known.join(", ")));
            return None;
        };
        let chain = &active.chain;
        let (token, symbol, decimals) = match self.token(chain, &way.token) {
            Ok(found) => found,
            Err(what) => {
                self.say(at("token"), what);
                return None;
            }
        };
        let amount = match amount::parse(&way.amount, decimals) {
            Ok(amount) if !amount.is_zero() => Some(amount),
            Ok(_) => {
                self.say(at("amount"), "must be more than zero".to_owned());
                None
            }
            Err(error) => {
                self.say(at("amount"), format!("{error}; a decimal string with at most {decimals} decimals"));
                None
            }
        };
        let recipients = self.recipients(&at("recipients"), &way.recipients);
        Some(Accept {
            chain: way.chain.clone(),
            chain_id: chain.chain_id,
            token,
            symbol,
            decimals,
            recipients,
            amount: amount?,
        })
    }

    fn token(&self, chain: &chain_config::Chain, text: &str) -> Result<(Option<Address>, String, u8), String> {
        if text == chain.native.symbol {
            return Ok((None, text.to_owned(), chain.native.decimals));
        }
        let token = if text.starts_with("0x") {
            let address = parse_address(text).map_err(|error| error.to_string())?;
            chain.token(&address).ok_or_else(|| format!("{text} is not a registered token of {}", chain.name))?
        } else {
            chain.token_named(text).map_err(|error| error.to_string())?
        };
        Ok((Some(token.address), token.symbol.clone(), token.decimals))
    }

    fn recipients(&mut self, field: &str, texts: &[String]) -> Vec<Address> {
        if texts.is_empty() || RECIPIENTS_MAX < texts.len() {
            self.say(field, format!("1 to {RECIPIENTS_MAX} addresses"));
        }
        let recipients: Vec<Address> = texts.iter().filter_map(|text| self.address(field, text)).collect();
        let allowed = &self.config.verification.recipients;
        for recipient in &recipients {
            if !allowed.is_empty() && !allowed.contains(recipient) {
                let what = format!("{recipient} is not one of verification.recipients");
                self.say_as("RECIPIENT_NOT_ALLOWED", field, what);
            }
        }
        recipients
    }

    pub(super) fn address(&mut self, field: &str, text: &str) -> Option<Address> {
        match parse_address(text) {
            Ok(address) if !address.is_zero() => Some(address),
            Ok(_) => {
                self.say(field, "the zero address cannot be paid".to_owned());
                None
            }
            Err(error) => {
                self.say(field, error.to_string());
                None
            }
        }
    }
}
