//! How many handshakes may be in progress, in all and from one address: pure counting.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Handshakes at once; each costs a signature and a few packets.
const HANDSHAKES_MAX: usize = 64;
/// Of them from one address: a box dials once, a room behind one address a few times.
const PER_ADDRESS_MAX: usize = 8;
/// From this many unproven addresses on, newcomers must show with a Retry that theirs is their own.
const UNVALIDATED_MAX: usize = 16;

/// What to do with a connection that knocks.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Shake hands; the place is free again when this is dropped.
    Accept(Place),
    /// Let it prove its address first.
    Retry,
    /// Too many: it may try again later.
    Refuse,
}

/// Whether the peer has proved that its address is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    /// By a Retry or an earlier token.
    Validated,
    /// The sender may be anybody.
    Claimed,
}

/// Counts handshakes in progress.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    unvalidated: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

/// One handshake in progress.
#[derive(Debug)]
pub(super) struct Place {
    gate: Arc<Gate>,
    from: IpAddr,
    address: Address,
}

impl Gate {
    /// Judges one that knocks, and counts it if it may come in.
    pub(super) fn knock(self: &Arc<Self>, from: IpAddr, address: Address) -> Verdict {
        let from = from.to_canonical();
        let mut counts = self.counts();
        let here = counts.by_address.get(&from).copied().unwrap_or_default();
        if address == Address::Claimed && (counts.unvalidated >= UNVALIDATED_MAX || here >= PER_ADDRESS_MAX) {
            return Verdict::Retry;
        }
        if counts.all >= HANDSHAKES_MAX || here >= PER_ADDRESS_MAX {
            return Verdict::Refuse;
        }
        counts.all += 1;
        counts.unvalidated += usize::from(address == Address::Claimed);
        counts.by_address.insert(from, here + 1);
        Verdict::Accept(Place { gate: Arc::clone(self), from, address })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.gate.counts();
        counts.all -= 1;
        counts.unvalidated -= usize::from(self.address == Address::Claimed);
        let here = counts.by_address.get(&self.from).copied().unwrap_or_default();
        if here > 1 {
            counts.by_address.insert(self.from, here - 1);
        } else {
            counts.by_address.remove(&self.from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knock(gate: &Arc<Gate>, from: u32, address: Address) -> Verdict {
        gate.knock(IpAddr::V4(from.into()), address)
    }

    #[test]
    fn sixty_four_at_once_and_eight_an_address() {
        let gate = Arc::new(Gate::default());
        let mut places = Vec::new();
        for no in 0..64 {
            let Verdict::Accept(place) = knock(&gate, no / 8, Address::Validated) else { panic!("{no}") };
            places.push(place);
        }
        assert!(matches!(knock(&gate, 100, Address::Validated), Verdict::Refuse));
        places.pop();
        assert!(matches!(knock(&gate, 0, Address::Validated), Verdict::Refuse), "its address is full");
        assert!(matches!(knock(&gate, 7, Address::Validated), Verdict::Accept(_)));
        drop(places);
        assert_eq!(gate.counts().all, 0);
        assert!(gate.counts().by_address.is_empty());
    }

    #[test]
    fn many_unproven_addresses_must_prove_themselves() {
        let gate = Arc::new(Gate::default());
        let places: Vec<_> = (0..16).map(|no| knock(&gate, no, Address::Claimed)).collect();
        assert!(matches!(knock(&gate, 50, Address::Claimed), Verdict::Retry));
        assert!(matches!(knock(&gate, 50, Address::Validated), Verdict::Accept(_)));
        drop(places);
        assert!(matches!(knock(&gate, 50, Address::Claimed), Verdict::Accept(_)));
    }

    #[test]
    fn a_forged_address_can_be_told_from_its_owner() {
        let gate = Arc::new(Gate::default());
        let _forged: Vec<_> = (0..8).map(|_| knock(&gate, 1, Address::Claimed)).collect();
        assert!(matches!(knock(&gate, 1, Address::Claimed), Verdict::Retry));
    }
}
