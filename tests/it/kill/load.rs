//! Providers under way: they post new events, repeat some, and post again whatever got no answer.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tollgate::config::Provider;

use crate::support::gateway::{REQUEST_NETWORK_SECRET, STRIPE_SECRET};
use crate::support::http;
use crate::support::invoice;

/// Lanes of Request Network's plain events: few, so that messages wait for each other.
const LANES: u64 = 24;

/// What must become one event, however often it is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// Request Network says something that is no money.
    Plain(u64),
    /// A card payment at Stripe.
    Card(u64),
    /// A payment on chain, by the number of its invoice.
    Paid(u64),
}

/// A body on its way.
#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) subject: Subject,
    pub(super) body: Bytes,
}

/// A post that was answered 200.
#[derive(Clone, Debug)]
pub(super) struct Acked {
    pub(super) post: Post,
    pub(super) delivery_id: String,
}

/// What all senders share.
pub(super) struct Load {
    client: reqwest::Client,
    state: Mutex<State>,
}

struct State {
    random: StdRng,
    made: u64,
    waiting: VecDeque<Post>,
    acked: Vec<Acked>,
    unanswered: usize,
}

impl Load {
    pub(super) fn new(seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        let state = State { random, made: 0, waiting: VecDeque::new(), acked: Vec::new(), unanswered: 0 };
        Self { client: http::client(), state: Mutex::new(state) }
    }

    /// Posts this before anything new.
    pub(super) fn push(&self, post: Post) {
        self.state().waiting.push_back(post);
    }

    /// Everything that was answered 200.
    pub(super) fn acked(&self) -> Vec<Acked> {
        self.state().acked.clone()
    }

    /// Posts that got no answer, once for each time.
    pub(super) fn unanswered(&self) -> usize {
        self.state().unanswered
    }

    /// Posts one after the other until the gateway is gone.
    pub(super) async fn until_killed(&self, gateway: SocketAddr) {
        loop {
            let post = self.state().next();
            if !self.deliver(gateway, post).await {
                return;
            }
        }
    }

    /// Posts what is left over, as a provider that tries again.
    pub(super) async fn finish(&self, gateway: SocketAddr) {
        loop {
            let Some(post) = self.state().waiting.pop_front() else { return };
            assert!(self.deliver(gateway, post).await, "the gateway is gone though nobody killed it");
        }
    }

    /// False when the connection broke: nobody knows then whether it was stored.
    async fn deliver(&self, gateway: SocketAddr, post: Post) -> bool {
        let (path, provider, secret) = match post.subject {
            Subject::Plain(_) | Subject::Paid(_) => {
                ("request-network", Provider::RequestNetwork, REQUEST_NETWORK_SECRET)
            }
            Subject::Card(_) => ("stripe", Provider::Stripe, STRIPE_SECRET),
        };
        let url = format!("http://{gateway}/webhooks/{path}");
        let answer = http::send(http::signed(&self.client, &url, &provider, secret, &post.body)).await;
        let mut state = self.state();
        match answer {
            Ok(reply) => {
                let delivery_id = reply.delivery_id();
                state.acked.push(Acked { post, delivery_id });
                true
            }
            Err(_) => {
                state.unanswered += 1;
                state.waiting.push_back(post);
                false
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the load")
    }
}

impl State {
    /// What waits, else a repeat of what was acked, else something new.
    fn next(&mut self) -> Post {
        if let Some(post) = self.waiting.pop_front() {
            return post;
        }
        if !self.acked.is_empty() && self.random.random_ratio(1, 8) {
            let one = self.random.random_range(0..self.acked.len());
            return self.acked[one].post.clone();
        }
        self.made += 1;
        let (subject, body) = if self.random.random_ratio(1, 3) {
            (Subject::Card(self.made), invoice::card(self.made))
        } else {
            (Subject::Plain(self.made), invoice::processing(self.made % LANES, self.made))
        };
        Post { subject, body: body.into() }
    }
}
