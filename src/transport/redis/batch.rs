//! Commands on their way to the servers, and their replies on the way back.

use crate::error::{Error, ErrorKind, Result};
use redis::{Cmd, Pipeline, ServerError, Value, cmd};
use std::collections::VecDeque;

/// Room that a name takes, as a rule.
const NAME: usize = 40;

/// Commands that are sent together. Those about one key are executed in the order in which they were added.
pub struct Batch(pub(super) Form);

/// What the servers can take at once.
pub(super) enum Form {
    /// One server has all keys.
    Pipeline(Pipeline, usize),
    /// Each key has its own; commands about one key stay together.
    Groups(Vec<Group>),
}

/// Commands that stay together.
pub(super) struct Group {
    /// In this order.
    pub commands: Vec<Cmd>,
    /// To the server of this number; else to that of the key that the first one names.
    pub at: Option<u32>,
}

/// A value to read.
pub struct Read {
    /// Its name.
    pub name: String,
    /// Whether what is left of its life is wanted too.
    pub life: bool,
}

/// A value to write, and what stands beside it and goes before that.
pub struct Put<'a> {
    /// The name of what goes.
    pub beside: String,
    /// The name of the value.
    pub name: String,
    /// The value.
    pub bytes: &'a [u8],
    /// Its life in milliseconds, `None` = without end.
    pub life: Option<u64>,
}

impl Batch {
    /// For one server.
    pub(super) fn pipeline(capacity: usize) -> Self {
        Self(Form::Pipeline(Pipeline::with_capacity(capacity), 0))
    }

    /// For many.
    pub(super) fn groups(capacity: usize) -> Self {
        Self(Form::Groups(Vec::with_capacity(capacity)))
    }

    /// Commands about one key, whose name is the first that each of them names: a request that stays together. Their
    /// replies come one by one, from [`Answers::reply`].
    pub fn add(&mut self, commands: impl IntoIterator<Item = Cmd>) {
        match &mut self.0 {
            Form::Pipeline(pipeline, count) => {
                for command in commands {
                    pipeline.add_command(command);
                    *count += 1;
                }
            }
            Form::Groups(groups) => groups.push(Group {
                commands: commands.into_iter().collect(),
                at: None,
            }),
        }
    }

    /// A command to the server of this number, see [`super::Link::servers`]. Its reply comes from [`Answers::reply`].
    pub fn add_at(&mut self, server: u32, command: Cmd) {
        match &mut self.0 {
            Form::Pipeline(..) => self.add([command]),
            Form::Groups(groups) => groups.push(Group {
                commands: vec![command],
                at: Some(server),
            }),
        }
    }

    /// Removes keys and, before them, what stands beside each of them. The number comes from [`Answers::unlinked`].
    pub fn unlink(&mut self, pairs: impl IntoIterator<Item = [String; 2]>) {
        if let Form::Pipeline(..) = self.0 {
            let mut commands = [cmd("UNLINK"), cmd("UNLINK")];
            for pair in pairs {
                for (command, name) in commands.iter_mut().zip(pair) {
                    command.arg(name);
                }
            }
            return self.add(commands);
        }
        for pair in pairs {
            self.add(pair.map(|name| cmd("UNLINK").arg(name).to_owned()));
        }
    }

    /// Writes values of any keys, behind what goes before each. Their replies come from [`Answers::put`].
    pub fn put<'a>(&mut self, puts: impl ExactSizeIterator<Item = Put<'a>>) {
        match &mut self.0 {
            // One DEL is cheaper than as many.
            Form::Pipeline(pipeline, count) => {
                let mut beside = Cmd::with_capacity(1 + puts.len(), puts.len() * NAME);
                beside.arg("DEL");
                let mut sets = Vec::with_capacity(puts.len());
                for put in puts {
                    beside.arg(&put.beside);
                    sets.push(put.set());
                }
                *count += 1 + sets.len();
                pipeline.add_command(beside);
                for set in sets {
                    pipeline.add_command(set);
                }
            }
            Form::Groups(groups) => groups.extend(puts.map(|put| Group {
                commands: vec![cmd("DEL").arg(&put.beside).to_owned(), put.set()],
                at: None,
            })),
        }
    }

    /// Reads of any keys. Their replies come from [`Answers::read`].
    ///
    /// The lives that are wanted come before the values: should another value come between the two, it gets the life of
    /// the one before, and the engine allows no value more than its own. The other way round an old value would live on.
    pub fn read(&mut self, reads: impl ExactSizeIterator<Item = Read>) {
        let life_of = |name: &str| cmd("PTTL").arg(name).to_owned();
        match &mut self.0 {
            // One MGET is cheaper than as many GETs.
            Form::Pipeline(pipeline, count) => {
                let mut values = Cmd::with_capacity(1 + reads.len(), reads.len() * NAME);
                values.arg("MGET");
                for read in reads {
                    if read.life {
                        pipeline.add_command(life_of(&read.name));
                        *count += 1;
                    }
                    values.arg(read.name);
                }
                pipeline.add_command(values);
                *count += 1;
            }
            // A command may name the keys of one slot only.
            Form::Groups(groups) => groups.extend(reads.map(|read| {
                let life = read.life.then(|| life_of(&read.name));
                Group {
                    commands: life.into_iter().chain([cmd("GET").arg(read.name).to_owned()]).collect(),
                    at: None,
                }
            })),
        }
    }
}

impl Put<'_> {
    fn set(&self) -> Cmd {
        // Its parts, and room for the numbers.
        let mut set = Cmd::with_capacity(5, 32 + self.name.len() + self.bytes.len());
        set.arg("SET").arg(&self.name).arg(self.bytes);
        if let Some(life) = self.life {
            set.arg("PX").arg(life);
        }
        set
    }
}

/// The replies to a batch, in its order.
pub struct Answers(Replies);

enum Replies {
    /// Of a pipeline: reads are answered by one MGET.
    Pipeline(std::vec::IntoIter<Value>),
    /// Of groups: each may have failed by itself.
    Groups(std::vec::IntoIter<Result<Value>>),
}

/// A value, after what is left of its life if that was wanted.
pub type ReadAnswer = Result<(Option<Value>, Value)>;

impl Answers {
    pub(super) fn of_pipeline(values: Vec<Value>) -> Self {
        Self(Replies::Pipeline(values.into_iter()))
    }

    pub(super) fn of_groups(replies: Vec<Result<Value>>) -> Self {
        Self(Replies::Groups(replies.into_iter()))
    }

    /// The reply to the next command.
    pub fn reply(&mut self) -> Result<Value> {
        let next = match &mut self.0 {
            Replies::Pipeline(values) => values.next().map(Ok),
            Replies::Groups(replies) => replies.next(),
        };
        match next {
            Some(Ok(Value::ServerError(cause))) => Err(refused(&cause)),
            Some(reply) => reply,
            None => Err(Error::new(
                ErrorKind::Remote,
                "redis gave fewer replies than it got commands",
            )),
        }
    }

    /// The answer to the next [`Batch::unlink`] of so many keys: how many there were.
    pub fn unlinked(&mut self, keys: usize) -> Result<u64> {
        let rounds = match self.0 {
            Replies::Pipeline(_) => 1,
            Replies::Groups(_) => keys,
        };
        let mut removed = Ok(0);
        for _ in 0..rounds {
            let (beside, there) = (self.reply(), self.reply());
            let count = match beside.and(there) {
                Ok(Value::Int(count)) => Ok(count.unsigned_abs()),
                Ok(_) => Err(Error::new(
                    ErrorKind::Remote,
                    "redis replied to UNLINK with something else",
                )),
                Err(error) => Err(error),
            };
            removed = removed.and_then(|removed: u64| Ok(removed + count?));
        }
        removed
    }

    /// The answers to the next [`Batch::put`] of so many values, one after another.
    pub fn put(&mut self, values: usize, mut take: impl FnMut(Result<()>)) {
        let mut shared = matches!(self.0, Replies::Pipeline(_)).then(|| self.reply().map(drop));
        for _ in 0..values {
            let beside = match &mut shared {
                Some(beside) => beside.clone(),
                None => self.reply().map(drop),
            };
            let written = self.reply().map(drop);
            take(beside.and(written));
        }
    }

    /// The answers to the next [`Batch::read`], one after another; `lives` says for each of its reads whether the life was
    /// wanted.
    pub fn read(&mut self, lives: impl ExactSizeIterator<Item = bool> + Clone, mut take: impl FnMut(ReadAnswer)) {
        if matches!(self.0, Replies::Groups(_)) {
            for life in lives {
                let (life, value) = (life.then(|| self.reply()), self.reply());
                take(life.transpose().and_then(|life| Ok((life, value?))));
            }
            return;
        }
        let count = lives.len();
        let mut known: VecDeque<_> = lives.clone().filter(|life| *life).map(|_| self.reply()).collect();
        let mut values = match self.reply() {
            Ok(Value::Array(values)) if values.len() == count => Ok(values.into_iter()),
            Ok(_) => {
                Err(Error::new(ErrorKind::Remote, "redis replied to MGET with something else").with("reply", "of MGET"))
            }
            Err(error) => Err(error),
        };
        for life in lives {
            let life = if life { known.pop_front().transpose() } else { Ok(None) };
            let value = match &mut values {
                Ok(values) => Ok(values.next().unwrap_or(Value::Nil)),
                Err(error) => Err(error.clone()),
            };
            take(life.and_then(|life| Ok((life, value?))));
        }
    }
}

fn refused(cause: &ServerError) -> Error {
    Error::new(ErrorKind::Remote, "redis refused a command").with("cause", format!("{cause:?}"))
}
