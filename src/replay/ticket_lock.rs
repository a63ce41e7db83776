//! A lock that admits threads in the order of their tickets.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Admits ticket 0, then ticket 1, and so on. Every ticket must enter, until the lock is closed.
#[derive(Debug)]
pub(super) struct TicketLock<T> {
    state: Mutex<State<T>>,
    moved_on: Condvar,
    /// The ticket whose turn it is. It changes only while `state` is locked; to look at it needs no lock.
    turn: AtomicU64,
}

#[derive(Debug)]
struct State<T> {
    is_closed: bool,
    /// Number of threads that wait.
    waiting: usize,
    inside: T,
}

/// One ticket's turn. The next ticket's turn begins when it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a, T> {
    state: MutexGuard<'a, State<T>>,
    lock: &'a TicketLock<T>,
}

/// How often a thread looks before it sleeps. A turn takes some microseconds, and to fall asleep and wake up takes more.
const LOOKS_MAX: usize = 200;

impl<T> TicketLock<T> {
    pub(super) fn new(inside: T) -> TicketLock<T> {
        TicketLock {
            state: Mutex::new(State { is_closed: false, waiting: 0, inside }),
            moved_on: Condvar::new(),
            turn: AtomicU64::new(0),
        }
    }

    /// Waits for the ticket's turn. Returns `None` when the lock is closed.
    pub(super) fn enter(&self, ticket: u64) -> Option<Turn<'_, T>> {
        for _ in 0..LOOKS_MAX {
            if self.is_turn_of(ticket) {
                break;
            }
            std::hint::spin_loop();
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_turn_of(ticket) && !state.is_closed {
            state.waiting += 1;
            state = self.moved_on.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        (!state.is_closed).then_some(Turn { state, lock: self })
    }

    fn is_turn_of(&self, ticket: u64) -> bool {
        self.turn.load(Ordering::Relaxed) == ticket
    }

    /// Closes the lock: admits no further ticket, and wakes all that wait.
    pub(super) fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_closed = true;
        self.moved_on.notify_all();
    }

    pub(super) fn into_inner(self) -> T {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).inside
    }
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.state.inside
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.state.inside
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.lock.turn.fetch_add(1, Ordering::Relaxed);
        // After a panic in its turn, the value cannot be trusted, and the later tickets would wait for ever.
        self.state.is_closed |= std::thread::panicking();
        // Telling nobody costs a system call, too.
        if self.state.waiting > 0 {
            self.lock.moved_on.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_go_in_in_their_order_whoever_comes_first() {
        let ticket_lock = TicketLock::new(Vec::new());
        std::thread::scope(|scope| {
            for ticket in (0..100).rev() {
                let ticket_lock = &ticket_lock;
                scope.spawn(move || ticket_lock.enter(ticket).unwrap().push(ticket));
            }
        });
        assert_eq!(ticket_lock.into_inner(), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn closing_sends_away_who_waits_and_who_comes() {
        let ticket_lock = TicketLock::new(());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| ticket_lock.enter(7).is_none());
            ticket_lock.close();
            assert!(waiting.join().unwrap());
        });
        assert!(ticket_lock.enter(0).is_none());
    }

    #[test]
    fn a_panic_inside_closes_it() {
        let ticket_lock = TicketLock::new(());
        std::thread::scope(|scope| {
            let panicked = scope.spawn(|| {
                let _turn = ticket_lock.enter(0).unwrap();
                panic!("inside");
            });
            assert!(panicked.join().is_err());
        });
        assert!(ticket_lock.enter(1).is_none());
    }
}
