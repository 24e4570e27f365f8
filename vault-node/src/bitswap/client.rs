//! The asking side of bitswap, without I/O: one session fetches a list of blocks from one or more
//! peers.
//!
//! Each block is asked of one peer at a time. A peer that does not have it, is lost, or stays
//! silent hands it on to the next peer; when all have been tried the block is missing.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use vault_core::Cid;

/// Most blocks that one peer is asked for at a time. Bounds what can lie in memory unread.
pub(crate) const WINDOW: usize = 32;
/// Most attempts to reach a peer again after it was lost, without a block in between.
const MAX_REDIALS: u32 = 4;

/// What the session wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Reach the peer after a pause. `fresh`: over a new connection, since the present one is
    /// silent.
    Connect {
        peer: usize,
        fresh: bool,
        pause: Duration,
    },
    /// Ask the peer for these blocks.
    Want { peer: usize, cids: Vec<Cid> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Ready,
    Dead,
}

struct Peer {
    state: State,
    /// Handed on by others, or taken back after a loss.
    queue: VecDeque<Cid>,
    in_flight: HashSet<Cid>,
    /// How many blocks it is asked for at a time. Fewer after it was lost while it owed some: an
    /// IPFS node in JavaScript answers many wants in one message, which may be a yamux frame of
    /// over 1 MiB, and our side of yamux closes the connection at that.
    window: usize,
    /// Last time it answered anything, or that there was nothing to answer.
    progress: Instant,
    redials: u32,
    renewed: bool,
    ever_ready: bool,
}

/// A fetch in progress. Peers are named by their place in the list.
pub(crate) struct Session {
    timeout: Duration,
    todo: VecDeque<Cid>,
    /// Which peers failed to give a block, as a bit set.
    tried: HashMap<Cid, u64>,
    missing: Vec<Cid>,
    peers: Vec<Peer>,
    actions: VecDeque<Action>,
    left: usize,
}

impl Session {
    /// Most peers in a session; more are passed over.
    pub(crate) const MAX_PEERS: usize = 64;

    /// Starts on `cids`, each taken once, with `peers` peers, none of which is connected.
    pub(crate) fn new(cids: &[Cid], peers: usize, timeout: Duration, now: Instant) -> Self {
        let mut seen = HashSet::new();
        let todo: VecDeque<_> = cids.iter().copied().filter(|c| seen.insert(*c)).collect();
        let peers = peers.min(Self::MAX_PEERS);
        let connect = |peer| Action::Connect {
            peer,
            fresh: false,
            pause: Duration::ZERO,
        };
        let idle = || Peer {
            state: State::Connecting,
            queue: VecDeque::new(),
            in_flight: HashSet::new(),
            window: WINDOW,
            progress: now,
            redials: 0,
            renewed: false,
            ever_ready: false,
        };
        Self {
            timeout,
            left: todo.len(),
            todo,
            tried: HashMap::new(),
            missing: Vec::new(),
            peers: (0..peers).map(|_| idle()).collect(),
            actions: (0..peers).map(connect).collect(),
        }
    }

    /// Whether every block has come or is known to be missing.
    pub(crate) fn is_done(&mut self) -> bool {
        if self.left > 0 && self.peers.iter().all(|peer| peer.state == State::Dead) {
            self.left = 0;
            self.missing.extend(self.todo.drain(..));
        }
        self.left == 0
    }

    /// Blocks that no peer gave.
    pub(crate) fn into_missing(self) -> Vec<Cid> {
        self.missing
    }

    /// Whether any peer was ever reached.
    pub(crate) fn reached_any(&self) -> bool {
        self.peers.iter().any(|peer| peer.ever_ready)
    }

    #[cfg(test)]
    fn in_flight(&self, peer: usize) -> impl Iterator<Item = &Cid> {
        self.peers[peer].in_flight.iter()
    }

    /// The next thing to do now, if any.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Action> {
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        (0..self.peers.len()).find_map(|peer| self.refill(peer, now))
    }

    /// When [`Session::tick`] must be called though nothing happened.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.peers
            .iter()
            .filter(|peer| peer.is_waiting())
            .map(|peer| peer.progress + self.limit(peer))
            .min()
    }

    /// The peer is there and can be asked.
    pub(crate) fn connected(&mut self, peer: usize, now: Instant) {
        let entry = &mut self.peers[peer];
        if entry.state == State::Connecting {
            entry.state = State::Ready;
            entry.ever_ready = true;
            if entry.in_flight.is_empty() && !entry.renewed {
                entry.progress = now;
            }
        }
    }

    /// A block came. `false`: this peer was not asked for it.
    pub(crate) fn block(&mut self, peer: usize, cid: &Cid, now: Instant) -> bool {
        if !self.peers[peer].answered(cid, now) {
            return false;
        }
        self.tried.remove(cid);
        self.left -= 1;
        true
    }

    /// The peer says it does not have the block.
    pub(crate) fn dont_have(&mut self, peer: usize, cid: &Cid, now: Instant) {
        if self.peers[peer].answered(cid, now) {
            self.hand_on(peer, *cid);
        }
    }

    /// The peer could not be reached, or the way to it was lost.
    pub(crate) fn lost(&mut self, peer: usize, now: Instant) {
        let entry = &mut self.peers[peer];
        if entry.state == State::Dead {
            return;
        }
        if !entry.in_flight.is_empty() {
            entry.window = (entry.window / 8).max(1);
        }
        if !entry.is_waiting() {
            entry.progress = now; // it owed nothing
        }
        entry.take_back();
        if !entry.ever_ready || entry.redials >= MAX_REDIALS {
            self.give_up(peer);
            return;
        }
        let pause = Duration::from_millis(100) * 3u32.pow(entry.redials);
        entry.redials += 1;
        entry.state = State::Connecting;
        self.actions.push_back(Action::Connect {
            peer,
            fresh: false,
            pause,
        });
    }

    /// Looks for silent peers: one is reached over a new connection at half the time, and given
    /// up at the full. Call it only when every event so far has been handed in.
    pub(crate) fn tick(&mut self, now: Instant) {
        for index in 0..self.peers.len() {
            let limit = self.limit(&self.peers[index]);
            let peer = &mut self.peers[index];
            if !peer.is_waiting() || now < peer.progress + limit {
                continue;
            }
            if limit < self.timeout {
                peer.renewed = true;
                peer.take_back();
                peer.state = State::Connecting;
                self.actions.push_back(Action::Connect {
                    peer: index,
                    fresh: true,
                    pause: Duration::ZERO,
                });
            } else {
                peer.take_back();
                self.give_up(index);
            }
        }
    }

    fn limit(&self, peer: &Peer) -> Duration {
        if peer.state == State::Ready && !peer.renewed {
            self.timeout / 2
        } else {
            self.timeout
        }
    }

    fn refill(&mut self, index: usize, now: Instant) -> Option<Action> {
        let peer = &mut self.peers[index];
        let free = peer.window - peer.in_flight.len().min(peer.window);
        if peer.state != State::Ready || (free < peer.window / 4 && !peer.in_flight.is_empty()) {
            return None;
        }
        let mut cids = Vec::new();
        while cids.len() < free
            && let Some(cid) = peer.queue.pop_front().or_else(|| self.todo.pop_front())
        {
            cids.push(cid);
        }
        if cids.is_empty() {
            return None;
        }
        if peer.in_flight.is_empty() && !peer.renewed {
            peer.progress = now;
        }
        peer.in_flight.extend(&cids);
        Some(Action::Want { peer: index, cids })
    }

    fn give_up(&mut self, peer: usize) {
        self.peers[peer].state = State::Dead;
        for cid in std::mem::take(&mut self.peers[peer].queue) {
            self.hand_on(peer, cid);
        }
    }

    /// Gives a block that `peer` failed on to the least busy peer that has not been tried.
    fn hand_on(&mut self, peer: usize, cid: Cid) {
        let tried = self.tried.entry(cid).or_default();
        *tried |= 1 << peer;
        let next = (0..self.peers.len())
            .filter(|&i| *tried & (1 << i) == 0 && self.peers[i].state != State::Dead)
            .min_by_key(|&i| self.peers[i].queue.len());
        match next {
            Some(next) => self.peers[next].queue.push_back(cid),
            None => {
                self.tried.remove(&cid);
                self.missing.push(cid);
                self.left -= 1;
            }
        }
    }
}

impl Peer {
    /// Whether something is due from it.
    fn is_waiting(&self) -> bool {
        match self.state {
            State::Connecting => true,
            State::Ready => !self.in_flight.is_empty(),
            State::Dead => false,
        }
    }

    fn answered(&mut self, cid: &Cid, now: Instant) -> bool {
        let known = self.in_flight.remove(cid);
        if known {
            self.progress = now;
            self.redials = 0;
            self.renewed = false;
        }
        known
    }

    fn take_back(&mut self) {
        for cid in self.in_flight.drain() {
            self.queue.push_front(cid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vault_core::Digest;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn cids(count: u32) -> Vec<Cid> {
        (0..count)
            .map(|i| Cid::raw(Digest::of(&i.to_be_bytes())))
            .collect()
    }

    fn actions(session: &mut Session, now: Instant) -> Vec<Action> {
        std::iter::from_fn(|| session.poll(now)).collect()
    }

    fn wants(session: &mut Session, now: Instant) -> Vec<(usize, Cid)> {
        actions(session, now)
            .into_iter()
            .filter_map(|action| match action {
                Action::Want { peer, cids } => Some(cids.into_iter().map(move |c| (peer, c))),
                Action::Connect { .. } => None,
            })
            .flatten()
            .collect()
    }

    #[test]
    fn window_is_kept_and_everything_is_asked_once() {
        let now = Instant::now();
        let list = cids(100);
        let mut session = Session::new(&[&list[..], &list[..5]].concat(), 1, TIMEOUT, now);
        assert!(wants(&mut session, now).is_empty());
        session.connected(0, now);
        let mut asked = Vec::new();
        loop {
            let next = wants(&mut session, now);
            assert!(session.in_flight(0).count() <= WINDOW);
            if next.is_empty() {
                break;
            }
            for (peer, cid) in next {
                asked.push(cid);
                assert!(session.block(peer, &cid, now));
                assert!(!session.block(peer, &cid, now));
            }
        }
        assert_eq!(asked, list);
        assert!(session.is_done());
        assert!(session.into_missing().is_empty());
    }

    #[test]
    fn a_block_that_one_peer_lacks_is_asked_of_the_other() {
        let now = Instant::now();
        let list = cids(40);
        let mut session = Session::new(&list, 2, TIMEOUT, now);
        session.connected(0, now);
        session.connected(1, now);
        let mut got = 0;
        for _ in 0..20 {
            for (peer, cid) in wants(&mut session, now) {
                if peer == 0 || cid == list[39] {
                    session.dont_have(peer, &cid, now);
                } else {
                    assert!(session.block(peer, &cid, now));
                    got += 1;
                }
            }
        }
        assert!(session.is_done());
        assert_eq!(got, 39);
        assert_eq!(session.into_missing(), [list[39]]);
    }

    #[test]
    fn a_lost_peer_is_reached_again_and_asked_for_the_rest() {
        let now = Instant::now();
        let list = cids(3);
        let mut session = Session::new(&list, 1, TIMEOUT, now);
        session.connected(0, now);
        assert_eq!(wants(&mut session, now).len(), 3);
        session.block(0, &list[1], now);
        session.lost(0, now);
        assert!(matches!(
            actions(&mut session, now)[..],
            [Action::Connect { peer: 0, .. }]
        ));
        session.connected(0, now);
        let mut again: Vec<_> = wants(&mut session, now).into_iter().map(|w| w.1).collect();
        again.sort();
        let mut rest = vec![list[0], list[2]];
        rest.sort();
        assert_eq!(again, rest);
        for _ in 0..=MAX_REDIALS {
            session.lost(0, now);
            session.connected(0, now);
        }
        assert!(session.is_done());
        assert_eq!(session.into_missing().len(), 2);
    }

    #[test]
    fn a_peer_that_is_lost_over_many_blocks_is_asked_for_fewer() {
        let now = Instant::now();
        let mut session = Session::new(&cids(100), 1, TIMEOUT, now);
        session.connected(0, now);
        for expected in [WINDOW, 4, 1, 1] {
            assert_eq!(wants(&mut session, now).len(), expected);
            session.lost(0, now);
            session.connected(0, now);
        }
        let mut got = 0;
        while let [(_, cid)] = wants(&mut session, now)[..] {
            assert!(session.block(0, &cid, now));
            got += 1;
        }
        assert_eq!(got, 100);
        assert!(session.is_done());
    }

    #[test]
    fn an_address_that_never_answered_is_not_dialled_for_ever() {
        let now = Instant::now();
        let mut session = Session::new(&cids(3), 1, TIMEOUT, now);
        actions(&mut session, now);
        session.lost(0, now);
        assert!(session.is_done() && !session.reached_any());
        assert_eq!(session.into_missing().len(), 3);
    }

    #[test]
    fn silence_renews_the_connection_once_and_then_ends() {
        let start = Instant::now();
        let mut session = Session::new(&cids(2), 1, TIMEOUT, start);
        actions(&mut session, start);
        session.connected(0, start);
        actions(&mut session, start);
        assert_eq!(session.deadline(), Some(start + TIMEOUT / 2));
        session.tick(start + TIMEOUT / 2);
        let half = actions(&mut session, start + TIMEOUT / 2);
        assert!(matches!(half[..], [Action::Connect { fresh: true, .. }]));
        session.connected(0, start + TIMEOUT / 2);
        assert_eq!(wants(&mut session, start + TIMEOUT / 2).len(), 2);
        assert_eq!(session.deadline(), Some(start + TIMEOUT));
        session.tick(start + TIMEOUT);
        assert!(session.is_done());
        assert_eq!(session.into_missing().len(), 2);
    }
}
