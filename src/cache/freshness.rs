//! How long values live and how they are renewed: what a call says over what its cache says, and the lives that follow.

use crate::clock::{FOREVER, millis};
use crate::entry::Lifetime;
use crate::error::{ErrorKind, Result};
use crate::options::Freshness;
use crate::random::Random;
use std::time::Duration;

/// How one value is stored; what is `None` is the cache's default. A ttl of zero is an error of kind
/// [`ErrorKind::Argument`]: do not store the value instead.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions<'a> {
    /// Time it is fresh; [`Duration::MAX`] does not end.
    pub ttl: Option<Duration>,
    /// The same in memory, instead of `ttl`.
    pub l1_ttl: Option<Duration>,
    /// The same in the remote tier, instead of `ttl`.
    pub l2_ttl: Option<Duration>,
    /// No ttl is longer, whoever decides it; [`Duration::MAX`] is no limit.
    pub max_ttl: Option<Duration>,
    /// Upper limit of the random part by which the ttl is shortened, so that values written together do not end together.
    pub jitter: Option<Duration>,
    /// Time after the ttl in which it may still be served.
    pub grace: Option<Duration>,
    /// Labels by which it can be dropped.
    pub tags: &'a [&'a str],
}

/// How one value is loaded, stored and renewed; what is `None` is the cache's default. Limits of [`Duration::MAX`] are none.
/// What cannot be right is an error of kind [`ErrorKind::Argument`].
///
/// ```
/// use std::time::Duration;
/// use turbocache::{LoadOptions, WriteOptions};
///
/// let options = LoadOptions {
///     write: WriteOptions { grace: Some(Duration::from_secs(3_600)), ..WriteOptions::default() },
///     soft_timeout: Some(Duration::from_millis(100)),
///     ..LoadOptions::default()
/// };
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Default)]
pub struct LoadOptions<'a> {
    /// How what is loaded is stored.
    pub write: WriteOptions<'a>,
    /// After the loader has failed and an old value was served: time until this process calls it again. Default: none.
    pub grace_backoff: Option<Duration>,
    /// Stale while revalidate: a value in its grace is served at once, and reloaded behind its caller. Default: no.
    pub swr: Option<bool>,
    /// With an old value at hand, wait for the loader at most this long. Default: no limit.
    pub soft_timeout: Option<Duration>,
    /// Wait for the loader at most this long, in any case. Default: no limit.
    pub hard_timeout: Option<Duration>,
    /// Wait for a load of another process at most this long, then load here, for this process alone. Default: 10 s.
    pub lock_timeout: Option<Duration>,
    /// A loader that needs longer is dropped, also when nobody waits for it. Default: 60 s.
    pub loader_deadline: Option<Duration>,
    /// Fraction of the ttl after which a hit starts a reload in the background, above 0; 1 is never. Default: never.
    pub eager_refresh: Option<f64>,
    /// Beta of the probabilistic early reload (XFetch): 1 is the optimum of the paper, more is earlier, 100 at most; 0 is
    /// never. Default: never.
    pub early_refresh: Option<f64>,
}

impl<'a> From<WriteOptions<'a>> for LoadOptions<'a> {
    fn from(write: WriteOptions<'a>) -> Self {
        Self {
            write,
            ..Self::default()
        }
    }
}

impl WriteOptions<'_> {
    /// The cache's freshness with what these say instead.
    pub(super) fn over(&self, base: &Freshness) -> Result<Freshness> {
        let freshness = self.laid_over(base);
        freshness.check(ErrorKind::Argument)?;
        Ok(freshness)
    }

    fn laid_over(&self, base: &Freshness) -> Freshness {
        Freshness {
            ttl: limit_over(base.ttl, self.ttl),
            // One without an end is a ttl here, and not the lack of one.
            l1_ttl: self.l1_ttl.map(millis).or(base.l1_ttl),
            l2_ttl: self.l2_ttl.map(millis).or(base.l2_ttl),
            max_ttl: limit_over(base.max_ttl, self.max_ttl),
            jitter: self.jitter.map_or(base.jitter, millis),
            grace: self.grace.map_or(base.grace, millis),
            ..*base
        }
    }
}

impl LoadOptions<'_> {
    /// The cache's freshness with what these say instead.
    pub(super) fn over(&self, base: &Freshness) -> Result<Freshness> {
        let freshness = Freshness {
            grace_backoff: self.grace_backoff.map_or(base.grace_backoff, millis),
            swr: self.swr.unwrap_or(base.swr),
            soft_timeout: limit_over(base.soft_timeout, self.soft_timeout),
            hard_timeout: limit_over(base.hard_timeout, self.hard_timeout),
            lock_timeout: limit_over(base.lock_timeout, self.lock_timeout),
            loader_deadline: limit_over(base.loader_deadline, self.loader_deadline),
            eager_refresh: self.eager_refresh.or(base.eager_refresh),
            early_refresh: self.early_refresh.or(base.early_refresh),
            ..self.write.laid_over(base)
        };
        freshness.check(ErrorKind::Argument)?;
        Ok(freshness)
    }
}

/// Where `None` is no limit.
fn limit_over(base: Option<u64>, given: Option<Duration>) -> Option<u64> {
    match given.map(millis) {
        None => base,
        Some(FOREVER) => None,
        limit => limit,
    }
}

/// How long a value lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lives {
    /// In the remote tier, and in memory where that has no ttl of its own.
    pub in_remote: Lifetime,
    /// Its ttl in memory, where that has one.
    pub in_memory: Option<u64>,
}

/// Decides the lives of a value when it is written: from the options, from its loader, by chance.
pub fn lives_of(freshness: &Freshness, chosen: Option<u64>, random: &dyn Random) -> Lives {
    let ttl = chosen.or(freshness.ttl).unwrap_or(FOREVER);
    let shorter = share_of(freshness.jitter, random);
    // What was decided from the value is the longest that any tier may keep it; otherwise each tier has its own.
    let in_tier = |own: Option<u64>| {
        let ttl = own.map_or(ttl, |own| chosen.map_or(own, |chosen| own.min(chosen)));
        let most = ttl.min(freshness.max_ttl.unwrap_or(FOREVER));
        if most == FOREVER {
            FOREVER
        } else {
            most.saturating_sub(shorter).max(1)
        }
    };
    let life = |ttl| {
        let grace = freshness.grace;
        Lifetime { ttl, grace }.clamped()
    };
    let has_own = freshness.l1_ttl.is_some() || freshness.l2_ttl.is_some();
    Lives {
        in_remote: life(in_tier(freshness.l2_ttl)),
        in_memory: has_own.then(|| life(in_tier(freshness.l1_ttl)).ttl),
    }
}

/// How long what another process has stored is served from memory before the remote tier is asked again; `None` = as long as
/// it says.
pub fn memory_ttl_of(freshness: &Freshness) -> Option<u64> {
    freshness.l1_ttl.or_else(|| freshness.l2_ttl.and(freshness.ttl))
}

/// A random part, uniform from 0 to less than all of it.
fn share_of(whole: u64, random: &dyn Random) -> u64 {
    if whole == 0 {
        return 0;
    }
    // The upper half of the product of two 64-bit numbers fits 64 bits.
    ((u128::from(random.next()) * u128::from(whole)) >> 64) as u64
}
