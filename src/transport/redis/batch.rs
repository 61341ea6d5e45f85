//! Commands on their way to the servers, and their replies on the way back.

use crate::error::{Error, ErrorKind, Result};
use redis::{Cmd, Pipeline, ServerError, Value, cmd};
use std::collections::VecDeque;

/// Commands that are sent together. Those about one key are executed in the order in which they were added.
pub struct Batch {
    pub(super) pipeline: Pipeline,
    pub(super) count: usize,
}

/// A value to read.
pub struct Read {
    /// Its name.
    pub name: String,
    /// Whether what is left of its life is wanted too.
    pub life: bool,
}

impl Batch {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            pipeline: Pipeline::with_capacity(capacity),
            count: 0,
        }
    }

    /// Commands about one key, whose name is the first that each of them names: a request that stays together. Their
    /// replies come one by one, from [`Answers::reply`].
    pub fn add(&mut self, commands: impl IntoIterator<Item = Cmd>) {
        for command in commands {
            self.pipeline.add_command(command);
            self.count += 1;
        }
    }

    /// Reads of any keys. Their replies come from [`Answers::read`].
    ///
    /// One MGET, and the lives that are wanted before it: should another value come between the two, it gets the life of
    /// the one before, and the engine allows no value more than its own. The other way round an old value would live on.
    pub fn read(&mut self, reads: impl IntoIterator<Item = Read>) {
        let mut values = cmd("MGET");
        for read in reads {
            if read.life {
                self.add([cmd("PTTL").arg(&read.name).to_owned()]);
            }
            values.arg(read.name);
        }
        self.add([values]);
    }
}

/// The replies to a batch, in its order.
pub struct Answers {
    values: std::vec::IntoIter<Value>,
}

/// A value, after what is left of its life if that was wanted.
pub type ReadAnswer = Result<(Option<Value>, Value)>;

impl Answers {
    pub(super) fn new(values: Vec<Value>) -> Self {
        Self {
            values: values.into_iter(),
        }
    }

    /// The reply to the next command.
    pub fn reply(&mut self) -> Result<Value> {
        match self.values.next() {
            Some(Value::ServerError(cause)) => Err(refused(&cause)),
            Some(value) => Ok(value),
            None => Err(Error::new(
                ErrorKind::Remote,
                "redis gave fewer replies than it got commands",
            )),
        }
    }

    /// The answers to the next [`Batch::read`]; `lives` says for each of its reads whether the life was wanted.
    pub fn read(&mut self, lives: impl ExactSizeIterator<Item = bool> + Clone) -> impl Iterator<Item = ReadAnswer> {
        let count = lives.len();
        let mut known: VecDeque<_> = lives.clone().filter(|life| *life).map(|_| self.reply()).collect();
        let mut values = match self.reply() {
            Ok(Value::Array(values)) if values.len() == count => Ok(values.into_iter()),
            Ok(_) => {
                Err(Error::new(ErrorKind::Remote, "redis replied to MGET with something else").with("reply", "of MGET"))
            }
            Err(error) => Err(error),
        };
        lives.map(move |life| {
            let life = if life { known.pop_front().transpose()? } else { None };
            let value = values.as_mut().map_err(|error| error.clone())?.next();
            Ok((life, value.unwrap_or(Value::Nil)))
        })
    }
}

fn refused(cause: &ServerError) -> Error {
    Error::new(ErrorKind::Remote, "redis refused a command").with("cause", format!("{cause:?}"))
}
