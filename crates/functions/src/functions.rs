//! The handle that other code holds: [`Functions`].
//!
//! What must hold: the lock over the pool is never held across an await, and every effect of a step is
//! carried out under it, so that effects and the next input cannot pass each other. An invocation or a
//! change that has begun goes on when its caller goes away.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle};

use tidemill_log::blobs::Blobs;
use tidemill_log::{AppendError, Replicated};
use tidemill_model::fault::{Fault, Faults, Seam};
use tidemill_model::{AccountId, Clock, Entropy, FunctionArn, Region, Timestamp};
use tidemill_shapes::lambda::ThrottleReason;

use crate::catalog::{self, Catalog, Function, NotServing, Refused, RevisionIds, Serving};
use crate::configuration::Code;
use crate::delivery;
use crate::driver::Deliverer;
use crate::environment::{Environment, Job};
use crate::function_name;
use crate::invocation::{Invocation, InvokeFailure, Reply};
use crate::limits::STOP_TIME_MAX;
use crate::metrics::{Metric, Metrics};
use crate::pool::{Bounds, Effect, EnvironmentId, Input, Pool};
use crate::ports::Processes;
use crate::queue::{self, Queue};
use crate::sandbox::code_directory::CodeDirectories;
use crate::settings::{Settings, Surroundings};

/// How many facts may wait for the delivery of queued invocations.
const DELIVERY_INPUTS_MAX: usize = 1024;

/// Tells the pool when an environment's task ends, even by a panic: its place is free again.
struct Leave {
    functions: Functions,
    id: EnvironmentId,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.functions.happened(self.id, Input::Lost(self.id));
    }
}

/// What [`Functions`] is made of.
pub struct FunctionsParts {
    /// What functions exist; on the control partition.
    pub catalog: Replicated<Catalog>,
    /// The queue of asynchronous invocations; on a partition of its own.
    pub queue: Replicated<Queue>,
    /// Where archives are kept.
    pub blobs: Arc<dyn Blobs>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Processes.
    pub processes: Arc<dyn Processes>,
    /// Faults that are armed.
    pub faults: Faults,
    /// What the operator set.
    pub settings: Settings,
}

/// A name that leads to no function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Function does not exist")]
pub struct NoFunction;

/// A function that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its ARN, with the qualifier that was given.
    pub arn: FunctionArn,
    /// The role that it acts as.
    pub role: String,
}

/// All functions of this node; cheap to clone.
#[derive(Clone)]
pub struct Functions {
    shared: Arc<Shared>,
}

struct Shared {
    catalog: Replicated<Catalog>,
    queue: Replicated<Queue>,
    surroundings: Arc<Surroundings>,
    rooms: Mutex<Rooms>,
    /// Wakes the task that ends idle environments.
    sooner: Notify,
    stop: watch::Sender<bool>,
    metrics: Arc<Metrics>,
    deliveries: mpsc::Sender<delivery::Input>,
    /// Taken by the delivery's task.
    delivered: Mutex<Option<mpsc::Receiver<delivery::Input>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// The pool, and what stands behind its numbers.
struct Rooms {
    pool: Pool,
    environments: BTreeMap<EnvironmentId, Seat>,
    /// When the task that ends idle environments wakes by itself.
    timer_at: Option<Timestamp>,
}

struct Seat {
    jobs: mpsc::Sender<Job>,
    task: JoinHandle<()>,
}

/// Does `work` to its end, also when nobody waits for it any more.
async fn to_its_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // The runtime is going, and with it whoever waits.
        Err(Err(_)) => std::future::pending().await,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}

impl Functions {
    /// Ready to take calls once [`Functions::recover`] has completed.
    ///
    /// # Panics
    /// When the work directory is not an absolute path: environments start elsewhere.
    pub fn new(parts: FunctionsParts) -> Functions {
        let FunctionsParts {
            catalog,
            queue,
            blobs,
            clock,
            entropy,
            processes,
            faults,
            settings,
        } = parts;
        let is_absolute = settings.work_directory.is_absolute();
        assert!(
            is_absolute,
            "environments start in directories of their own"
        );
        let bounds = Bounds {
            environments_max: settings.concurrency_max,
            idle_max: settings.idle_max,
        };
        let directories = CodeDirectories::new(settings.work_directory.clone());
        let surroundings = Surroundings {
            blobs,
            clock,
            entropy,
            processes,
            faults,
            directories,
            settings,
        };
        let rooms = Rooms {
            pool: Pool::new(bounds),
            environments: BTreeMap::new(),
            timer_at: None,
        };
        let (deliveries, delivered) = mpsc::channel(DELIVERY_INPUTS_MAX);
        let shared = Shared {
            catalog,
            queue,
            surroundings: Arc::new(surroundings),
            rooms: Mutex::new(rooms),
            sooner: Notify::new(),
            stop: watch::Sender::new(false),
            metrics: Arc::default(),
            deliveries,
            delivered: Mutex::new(Some(delivered)),
            tasks: Mutex::default(),
        };
        Functions {
            shared: Arc::new(shared),
        }
    }

    /// Removes what an earlier run left of its environments and its unpacked code, and takes up the
    /// queued invocations.
    /// Call it once, after the state logs have been opened and before the first request.
    pub async fn recover(&self) {
        if let Err(error) = self.surroundings().directories.clean().await {
            tracing::warn!(%error, "directories of earlier environments were not removed");
        }
        let Some(inputs) = locked(&self.shared.delivered).take() else {
            return;
        };
        let functions = self.clone();
        let deliverer = Deliverer {
            queue: self.shared.queue.clone(),
            clock: Arc::clone(&self.surroundings().clock),
            metrics: Arc::clone(&self.shared.metrics),
            attempts_max: self.surroundings().settings.concurrency_max,
            invoke: Arc::new(move |invocation| {
                let functions = functions.clone();
                Box::pin(async move { functions.invoke(invocation).await })
            }),
            inputs: self.shared.deliveries.clone(),
        };
        let tasks = [
            tokio::spawn(deliverer.run(inputs)),
            tokio::spawn(self.clone().expire()),
        ];
        locked(&self.shared.tasks).extend(tasks);
    }

    /// Ends all environments, and waits a bounded time for them. Invocations that are running end
    /// with a failure; queued ones are taken up by the next start.
    pub async fn shutdown(&self) {
        self.shared.stop.send_replace(true);
        let seats = std::mem::take(&mut locked(&self.shared.rooms).environments);
        let ending: Vec<JoinHandle<()>> = seats.into_values().map(|seat| seat.task).collect();
        for task in std::mem::take(&mut *locked(&self.shared.tasks)) {
            task.abort();
        }
        let clock = &self.surroundings().clock;
        let mut expired = clock.sleep_until(clock.now().plus(STOP_TIME_MAX));
        for mut task in ending {
            tokio::select! {
                _ = &mut task => {}
                // A task that is given up kills its process by being dropped.
                () = &mut expired => task.abort(),
            }
        }
    }

    /// The function that `name` means for a caller of `account` in `region`.
    pub fn resolve(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
    ) -> Result<Resolved, NoFunction> {
        let arn = function_name::place(account, region, name, None).map_err(|_| NoFunction)?;
        self.shared.catalog.read(|catalog| {
            let function = catalog.find(&arn).ok_or(NoFunction)?;
            let role = function.latest.configuration.role.clone();
            Ok(Resolved {
                arn: arn.clone(),
                role,
            })
        })
    }

    /// Runs a function and gives its answer. When the future is dropped the function goes on.
    pub async fn invoke(&self, invocation: Invocation) -> Result<Reply, InvokeFailure> {
        let metrics = &self.shared.metrics;
        metrics.add(Metric::Invocations);
        let result = self.invoke_uncounted(invocation).await;
        match &result {
            Ok(reply) if reply.function_error.is_some() => metrics.add(Metric::Errors),
            Err(InvokeFailure::Throttled { .. }) => metrics.add(Metric::Throttles),
            Err(InvokeFailure::Service { .. }) => metrics.add(Metric::ServiceFailures),
            Ok(_) | Err(InvokeFailure::NoFunction { .. } | InvokeFailure::NotReady) => {}
        }
        result
    }

    async fn invoke_uncounted(&self, invocation: Invocation) -> Result<Reply, InvokeFailure> {
        let surroundings = self.surroundings();
        let serving = self.serving(&invocation.function)?;
        let fault = surroundings.faults.at(Seam::Invoke);
        match &fault {
            Some(Fault::Fail) => return Err(InvokeFailure::not_run("a fault is armed")),
            Some(Fault::Delay(delay)) => {
                surroundings
                    .clock
                    .sleep_until(surroundings.clock.now().plus(*delay))
                    .await;
            }
            Some(Fault::LoseAnswer) | None => {}
        }
        let (reply, receiver) = oneshot::channel();
        self.seat(serving, Job { invocation, reply })?;
        let result = receiver.await.unwrap_or_else(|_| {
            Err(InvokeFailure::unknown(
                "the environment ended without a word",
            ))
        });
        match fault {
            Some(Fault::LoseAnswer) => Err(InvokeFailure::unknown("a fault is armed")),
            Some(Fault::Fail | Fault::Delay(_)) | None => result,
        }
    }

    /// The revision of `function` that serves now.
    fn serving(&self, function: &FunctionArn) -> Result<Serving, InvokeFailure> {
        let now = self.now();
        self.shared
            .catalog
            .read(|catalog| catalog.serving(function, now))
            .map_err(|not| match not {
                NotServing::NotFound => InvokeFailure::NoFunction {
                    function: function.clone(),
                },
                NotServing::Pending => InvokeFailure::NotReady,
            })
    }

    /// Hands `job` to an environment of `serving`, if there may be one.
    fn seat(&self, serving: Serving, job: Job) -> Result<(), InvokeFailure> {
        let mut rooms = locked(&self.shared.rooms);
        if *self.shared.stop.borrow() {
            return Err(InvokeFailure::not_run("the server is stopping"));
        }
        let function = serving.configuration.arn.clone();
        let input = Input::Invoked {
            function,
            revision: serving.revision,
        };
        let mut seated = None;
        for effect in rooms.pool.step(self.now(), input) {
            match effect {
                Effect::Retire(id) => drop(rooms.environments.remove(&id)),
                Effect::Reuse(id) => seated = Some(id),
                Effect::Create(id) => {
                    let seat = self.open(id, &serving);
                    rooms.environments.insert(id, seat);
                    seated = Some(id);
                }
                Effect::Throttle => {}
            }
        }
        let Some(id) = seated else {
            let reason = ThrottleReason::ConcurrentInvocationLimitExceeded;
            return Err(InvokeFailure::Throttled { reason });
        };
        let seat = rooms
            .environments
            .get(&id)
            .expect("the pool names environments that exist");
        // An idle environment has an empty queue; one that has ended is a defect, not a state.
        seat.jobs
            .try_send(job)
            .map_err(|error| InvokeFailure::not_run(format!("{id:?}: {error}")))
    }

    fn open(&self, id: EnvironmentId, serving: &Serving) -> Seat {
        self.shared.metrics.add(Metric::EnvironmentsStarted);
        let environment = Environment::new(
            id,
            Arc::clone(&serving.configuration),
            Arc::clone(&self.shared.surroundings),
            self.shared.stop.subscribe(),
        );
        let (jobs, receiver) = mpsc::channel(1);
        let functions = self.clone();
        let task = tokio::spawn(async move {
            let _leave = Leave {
                functions: functions.clone(),
                id,
            };
            environment
                .run(receiver, move |id| {
                    functions.happened(id, Input::Finished(id))
                })
                .await;
        });
        Seat { jobs, task }
    }

    /// Takes a step that an environment causes, unless it has been retired.
    fn happened(&self, id: EnvironmentId, input: Input) {
        let mut rooms = locked(&self.shared.rooms);
        if rooms.environments.contains_key(&id) {
            self.carry_out(&mut rooms, input);
        }
    }

    /// Takes a step that starts nothing.
    fn carry_out(&self, rooms: &mut Rooms, input: Input) {
        for effect in rooms.pool.step(self.now(), input) {
            match effect {
                Effect::Retire(id) => drop(rooms.environments.remove(&id)),
                Effect::Create(_) | Effect::Reuse(_) | Effect::Throttle => {
                    unreachable!("only an invocation has {effect:?}")
                }
            }
        }
        let deadline = rooms.pool.deadline();
        if deadline.is_some_and(|deadline| rooms.timer_at.is_none_or(|at| deadline < at)) {
            self.shared.sooner.notify_one();
        }
    }

    /// Ends environments that have been idle for too long, for ever.
    async fn expire(self) {
        loop {
            let deadline = {
                let mut rooms = locked(&self.shared.rooms);
                rooms.timer_at = rooms.pool.deadline();
                rooms.timer_at
            };
            let sleep = self
                .surroundings()
                .clock
                .sleep_until(deadline.unwrap_or(Timestamp::MAX));
            tokio::select! {
                () = sleep => self.carry_out(&mut locked(&self.shared.rooms), Input::TimerFired),
                () = self.shared.sooner.notified() => {}
            }
        }
    }

    /// The metrics since the start.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// How many environments exist, and how many of them run an invocation.
    pub fn environments(&self) -> (usize, usize) {
        locked(&self.shared.rooms).pool.count()
    }

    /// How many asynchronous invocations have not ended.
    pub fn queued(&self) -> usize {
        self.shared.queue.read(Queue::count)
    }

    /// Changes the catalog, and ends the environments of `function` that no longer serve.
    pub(crate) async fn change(
        &self,
        function: &FunctionArn,
        command: catalog::Command,
    ) -> Result<Result<Function, Refused>, AppendError> {
        let (functions, function) = (self.clone(), function.clone());
        to_its_end(async move {
            let changed = functions.shared.catalog.submit(command).await?;
            if changed.is_ok() {
                functions.retire_outdated(&function);
            }
            Ok(changed)
        })
        .await
    }

    /// Queues an invocation, and has it delivered.
    pub(crate) async fn enqueue(
        &self,
        command: queue::Command,
    ) -> Result<queue::Outcome, AppendError> {
        let functions = self.clone();
        to_its_end(async move {
            let outcome = functions.shared.queue.submit(command).await?;
            if let queue::Outcome::Queued(id, standing) = outcome {
                functions.shared.metrics.add(Metric::AsyncQueued);
                let queued = delivery::Input::Queued(id, standing);
                // It ends only with the server; what it is not told then is in the queue.
                let _ = functions.shared.deliveries.send(queued).await;
            }
            Ok(outcome)
        })
        .await
    }

    /// Ends the environments of revisions of `function` that no longer serve.
    fn retire_outdated(&self, function: &FunctionArn) {
        let now = self.now();
        let input = match self
            .shared
            .catalog
            .read(|catalog| catalog.serving(function, now))
        {
            Ok(serving) => Input::Updated {
                function: function.clone(),
                revision: serving.revision,
            },
            Err(NotServing::NotFound) => Input::Deleted(function.clone()),
            Err(NotServing::Pending) => return,
        };
        self.carry_out(&mut locked(&self.shared.rooms), input);
    }

    pub(crate) fn catalog(&self) -> &Replicated<Catalog> {
        &self.shared.catalog
    }

    pub(crate) fn surroundings(&self) -> &Arc<Surroundings> {
        &self.shared.surroundings
    }

    /// Where the archive of `code` can be fetched: the server gives out blobs by their hashes.
    pub(crate) fn code_address(&self, code: &Code) -> Option<String> {
        let server = self.surroundings().settings.endpoint_url.as_ref()?;
        Some(format!("{server}/_tidemill/code/{}", code.blob))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.surroundings().clock.now()
    }

    /// A fresh pair of guards for a change.
    pub(crate) fn revision_ids(&self) -> RevisionIds {
        let entropy = &self.surroundings().entropy;
        RevisionIds {
            settling: entropy.uuid(),
            settled: entropy.uuid(),
        }
    }

    /// How long a change takes until it serves, in milliseconds.
    pub(crate) fn settles_after_ms(&self) -> u64 {
        u64::try_from(self.surroundings().settings.state_delay.as_millis()).unwrap_or(u64::MAX)
    }
}
