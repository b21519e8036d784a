//! The list of open connections. Where there is no room for a new one, the longest quiet one makes place: first one that
//! has never said anything, then one between two requests; one that is being answered never.

use super::Limits;
use super::phase::Phase;
use ipnet::IpNet;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::AbortHandle;

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub(super) struct Open(Arc<Inner>);

struct Inner {
    list: Mutex<List>,
    most: usize,
    most_of_an_address: usize,
    trusted_proxies: Vec<IpNet>,
}

#[derive(Default)]
struct List {
    next_id: u64,
    /// Oldest first.
    connections: BTreeMap<u64, Connection>,
    of_address: HashMap<Address, usize>,
}

struct Connection {
    /// None of a trusted proxy, which comes with everybody's requests.
    address: Option<Address>,
    phase: Arc<Phase>,
    task: Option<AbortHandle>,
}

/// A machine: an IPv4 address, or the /64 that is an IPv6 host's own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Address {
    V4(u32),
    V6(u64),
}

impl Address {
    fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.to_bits()),
            IpAddr::V6(ip) => Self::V6((ip.to_bits() >> 64) as u64),
        }
    }
}

/// A connection's place, until it is dropped.
pub(super) struct Place {
    open: Open,
    id: u64,
    phase: Arc<Phase>,
}

impl Place {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn open(&self) -> &Open {
        &self.open
    }

    pub(super) fn phase(&self) -> &Arc<Phase> {
        &self.phase
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.list().remove(self.id);
    }
}

impl Open {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(Arc::new(Inner {
            list: Mutex::default(),
            most: limits.connections,
            most_of_an_address: limits.connections_of_an_address,
            trusted_proxies: limits.trusted_proxies.clone(),
        }))
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from here; `None` where all that there are are at work.
    pub(super) fn make_room(&self, ip: IpAddr) -> Option<Place> {
        let is_proxy = self.0.trusted_proxies.iter().any(|network| network.contains(&ip.to_canonical()));
        let address = (!is_proxy).then(|| Address::of(ip));
        let mut list = self.list();
        let of_address = address.and_then(|address| list.of_address.get(&address)).copied().unwrap_or(0);
        if of_address >= self.0.most_of_an_address && !list.close_quiet_one(|one| one.address == address) {
            return None;
        }
        if list.connections.len() >= self.0.most && !list.close_quiet_one(|_| true) {
            return None;
        }
        let (id, phase) = (list.next_id, Arc::new(Phase::new()));
        list.next_id += 1;
        list.connections.insert(id, Connection { address, phase: Arc::clone(&phase), task: None });
        if let Some(address) = address {
            *list.of_address.entry(address).or_default() += 1;
        }
        Some(Place { open: self.clone(), id, phase })
    }

    /// Which task ends when the connection is closed.
    pub(super) fn ends_with(&self, id: u64, task: AbortHandle) {
        // One that has ended already is not there any more.
        if let Some(connection) = self.list().connections.get_mut(&id) {
            connection.task = Some(task);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.list().connections.len()
    }

    pub(super) fn close_quiet_one(&self) {
        self.list().close_quiet_one(|_| true);
    }

    pub(super) fn close_quiet_ones(&self) {
        self.list().close_all(|one| one.phase.is_quiet());
    }

    pub(super) fn close_all(&self) {
        self.list().close_all(|_| true);
    }
}

impl List {
    /// Closes the one that can best be spared; false when there is none.
    fn close_quiet_one(&mut self, is_meant: impl Fn(&Connection) -> bool) -> bool {
        let quiet =
            self.connections.iter().filter(|(_, one)| one.task.is_some() && one.phase.is_quiet() && is_meant(one));
        let spared = quiet.min_by_key(|(_, one)| (one.phase.begun() > 0, one.phase.quiet_since())).map(|(id, _)| *id);
        spared.map(|id| self.close(id)).is_some()
    }

    fn close_all(&mut self, is_meant: impl Fn(&Connection) -> bool) {
        let meant: Vec<u64> = self.connections.iter().filter(|(_, one)| is_meant(one)).map(|(id, _)| *id).collect();
        for id in meant {
            self.close(id);
        }
    }

    fn close(&mut self, id: u64) {
        if let Some(task) = self.remove(id).and_then(|connection| connection.task) {
            task.abort();
        }
    }

    fn remove(&mut self, id: u64) -> Option<Connection> {
        let connection = self.connections.remove(&id)?;
        if let Some(address) = connection.address
            && let Some(count) = self.of_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&address);
            }
        }
        Some(connection)
    }
}
