//! Whether a job fits a filter: most of it is decided by what the job has in common with others, once for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vc_protocol::id::{AgentId, DeviceId, JobId, ProfileId};
use vc_protocol::job::{JobState, Priority};
use vc_protocol::operator::filter::{Kind, Term, Test};
use vc_protocol::profile::NamedProfile;

use super::facet::{Facet, FacetNo, Facets};
use super::page::Query;
use super::shape::{Seen, StoredJob};
use super::{Memory, Store};

/// What a facet says about its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// None fits.
    No,
    /// All fit.
    Yes,
    /// Their rows decide.
    Ask,
}

/// A filter, ready to be held against jobs.
pub(super) struct Sieve {
    /// With texts in lower case.
    terms: Vec<Term>,
    /// Texts among them that are the whole name of a cause: they mean that one alone.
    whole_causes: BTreeSet<String>,
    seen: BTreeMap<AgentId, Arc<Seen>>,
    profiles: BTreeMap<ProfileId, Arc<NamedProfile>>,
    unsure: Arc<BTreeSet<JobId>>,
    now_ms: i64,
}

impl Sieve {
    pub(super) fn new(query: &Query, memory: &Memory) -> Self {
        let lower = |term: &Term| {
            let test = match &term.test {
                Test::Cause(text) => Test::Cause(text.to_lowercase()),
                Test::Text(text) => Test::Text(text.to_lowercase()),
                same @ (Test::Is(_)
                | Test::Agent(_)
                | Test::Device(_)
                | Test::Profile(_)
                | Test::Priority(..)
                | Test::Age(..)) => same.clone(),
            };
            Term { not: term.not, test }
        };
        let terms: Vec<Term> = query.filter.terms.iter().map(lower).collect();
        let asks_causes = terms.iter().any(|term| matches!(term.test, Test::Cause(_)));
        let causes =
            memory.facets.iter().filter(|_| asks_causes).filter_map(|(_, facet, _)| facet.cause.as_ref());
        let whole_causes = causes
            .map(|cause| cause.to_lowercase())
            .filter(|cause| terms.iter().any(|term| matches!(&term.test, Test::Cause(text) if text == cause)))
            .collect();
        Sieve {
            terms,
            whole_causes,
            seen: memory.seen.clone(),
            profiles: memory.profiles.clone(),
            unsure: query.unsure.clone(),
            now_ms: query.now_ms,
        }
    }

    /// Everything fits.
    pub(super) fn is_all(&self) -> bool {
        self.terms.is_empty()
    }

    /// What is known of a facet's jobs without looking at them.
    fn fit(&self, facet: &Facet) -> Fit {
        let mut fit = Fit::Yes;
        for term in &self.terms {
            match self.of_facet(&term.test, facet) {
                Some(holds) if holds == term.not => return Fit::No,
                Some(_) => {}
                None => fit = Fit::Ask,
            }
        }
        fit
    }

    /// Whether the job fits.
    pub(super) fn fits(&self, job: &StoredJob) -> bool {
        let facet = Facet::of(job);
        self.terms.iter().all(|term| {
            let holds = self.of_facet(&term.test, &facet).unwrap_or_else(|| self.of_job(&term.test, job));
            holds != term.not
        })
    }

    /// None if the facet's jobs differ.
    fn of_facet(&self, test: &Test, facet: &Facet) -> Option<bool> {
        let names = Names(&self.seen);
        let profile = || self.profiles.get(&facet.profile).map_or("", |profile| profile.name.as_str());
        match test {
            Test::Is(kinds) if kinds.iter().any(|kind| is_surely(*kind, facet)) => Some(true),
            Test::Is(kinds) => {
                let may = facet.state == JobState::Running && kinds.contains(&Kind::Unsure);
                if may { None } else { Some(false) }
            }
            Test::Agent(name) => Some(facet.place.is_some_and(|(agent, _)| names.agent(agent) == *name)),
            Test::Device(name) => Some(facet.place.is_some_and(|(agent, device)| {
                let place = names.place(agent, device);
                place == *name || place.rsplit_once('/').is_some_and(|(_, device)| device == name)
            })),
            Test::Profile(name) => Some(profile() == name),
            Test::Cause(text) => {
                let cause = facet.cause.as_ref().map(|cause| cause.to_lowercase());
                let is_whole = self.whole_causes.contains(text);
                Some(cause.is_some_and(|cause| if is_whole { cause == *text } else { cause.contains(text) }))
            }
            Test::Priority(compare, than) => Some(compare.holds(facet.priority, *than)),
            Test::Text(text) => {
                let place = || facet.place.map(|(agent, device)| names.place(agent, device));
                let said = contains(profile().as_bytes(), text)
                    || place().is_some_and(|place| contains(place.as_bytes(), text));
                said.then_some(true)
            }
            Test::Age(..) => None,
        }
    }

    /// What [`Sieve::of_facet`] left open.
    fn of_job(&self, test: &Test, job: &StoredJob) -> bool {
        match test {
            Test::Is(_) => self.unsure.contains(&job.record.id),
            Test::Age(compare, seconds) => {
                let age_ms = self.now_ms.saturating_sub(job.spec.created_ms).max(0);
                compare.holds(age_ms.unsigned_abs() / 1000, *seconds)
            }
            Test::Text(text) => {
                let cause = job.record.reason.as_ref().map_or("", |reason| reason.text.as_str());
                [job.spec.source.0.as_slice(), &job.spec.output.0, cause.as_bytes()]
                    .into_iter()
                    .any(|place| contains(place, text))
            }
            Test::Agent(_) | Test::Device(_) | Test::Profile(_) | Test::Cause(_) | Test::Priority(..) => {
                false
            }
        }
    }
}

fn is_surely(kind: Kind, facet: &Facet) -> bool {
    match kind {
        Kind::State(state) => state == facet.state,
        Kind::Retry => facet.is_retry(),
        Kind::Unsure => false,
    }
}

/// Whether a text that may not be UTF-8 contains this, which is in lower case.
fn contains(text: &[u8], needle: &str) -> bool {
    let needle_bytes = needle.as_bytes();
    if !text.is_ascii() {
        return String::from_utf8_lossy(text).to_lowercase().contains(needle);
    }
    needle.is_empty()
        || text.len() >= needle_bytes.len()
            && text.windows(needle_bytes.len()).any(|part| part.eq_ignore_ascii_case(needle_bytes))
}

/// Names of agents and places, by what agents were like when last connected.
pub(super) struct Names<'a>(pub(super) &'a BTreeMap<AgentId, Arc<Seen>>);

impl Names<'_> {
    pub(super) fn agent(&self, id: AgentId) -> String {
        self.0.get(&id).map_or_else(|| format!("agent {id}"), |seen| seen.name.clone())
    }

    /// `ada/cpu`.
    pub(super) fn place(&self, agent: AgentId, device: DeviceId) -> String {
        let devices = self.0.get(&agent).map_or(&[][..], |seen| &seen.devices);
        match devices.iter().find(|known| known.id == device) {
            Some(device) => format!("{}/{}", self.agent(agent), device.short_name()),
            None => self.agent(agent),
        }
    }
}

impl Store {
    /// The name that the agent last had.
    pub fn agent_name(&self, id: AgentId) -> String {
        Names(&self.memory().seen).agent(id)
    }
}

/// What a filter says of every facet.
pub(super) struct Fits {
    list: Vec<FacetFit>,
}

/// What a filter says of one facet.
#[derive(Debug, Clone, Copy)]
pub(super) struct FacetFit {
    pub(super) fit: Fit,
    pub(super) state: JobState,
    pub(super) priority: Priority,
    pub(super) jobs: u64,
}

impl Fits {
    pub(super) fn new(sieve: &Sieve, facets: &Facets) -> Self {
        let nothing =
            FacetFit { fit: Fit::No, state: JobState::Pending, priority: Priority::DEFAULT, jobs: 0 };
        let mut list = Vec::new();
        for (no, facet, jobs) in facets.iter() {
            list.resize((no as usize + 1).max(list.len()), nothing);
            list[no as usize] =
                FacetFit { fit: sieve.fit(facet), state: facet.state, priority: facet.priority, jobs };
        }
        Fits { list }
    }

    /// None for a facet that came after the list was made.
    pub(super) fn get(&self, no: FacetNo) -> Option<&FacetFit> {
        self.list.get(no as usize)
    }

    /// Jobs that fit; none if rows decide.
    pub(super) fn total(&self) -> Option<u64> {
        self.count(|_| true)
    }

    /// Jobs that fit among those of some facets; none if rows decide.
    pub(super) fn count(&self, of: impl Fn(&FacetFit) -> bool) -> Option<u64> {
        let there = self.list.iter().filter(|one| one.jobs > 0 && of(one));
        there
            .map(|one| match one.fit {
                Fit::No => Some(0),
                Fit::Yes => Some(one.jobs),
                Fit::Ask => None,
            })
            .sum()
    }

    /// Jobs of some facets.
    pub(super) fn jobs(&self, of: impl Fn(&FacetFit) -> bool) -> u64 {
        self.list.iter().filter(|one| of(one)).map(|one| one.jobs).sum()
    }

    /// Jobs that fit, or may.
    pub(super) fn candidates(&self) -> u64 {
        self.jobs(|one| one.fit != Fit::No)
    }

    /// Whether any job there is of some facets may fit.
    pub(super) fn any(&self, of: impl Fn(&FacetFit) -> bool) -> bool {
        self.list.iter().any(|one| one.jobs > 0 && one.fit != Fit::No && of(one))
    }
}
