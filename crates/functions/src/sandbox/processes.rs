//! Real processes: [`LocalProcesses`], the port [`Processes`] on this machine.
//!
//! What must hold: a process never outlives the server. It gets a group of its own, which is killed as
//! a whole, and the kernel kills it when the thread that started it ends. That is why one thread starts
//! them all: it lives as long as this value and every process started through it, while a thread of
//! the executor may end at any time. Both outputs are one pipe, so that what is written keeps its order.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

use tidemill_log::scheduling::stand_behind_the_server;
use tidemill_model::BoxFuture;

use crate::payloads::Exit;
use crate::ports::{Command, Happening, Process, Processes, Program, StartFailure};

/// Starts that may lie ready for the thread; the others wait for a place, and the pool bounds how many.
const STARTS_READY_MAX: usize = 64;
/// Most bytes taken from the output at a time.
const READ_BYTES_MAX: usize = 64 * 1024;
/// Most files a function may have open, as AWS has it.
const FILES_MAX: u64 = 1024;

type Started = Result<Box<dyn Process>, StartFailure>;

struct Request {
    command: Command,
    runtime: tokio::runtime::Handle,
    answer: oneshot::Sender<Started>,
}

/// Starts processes on this machine. Dropping it ends the processes it started.
#[derive(Debug)]
pub struct LocalProcesses {
    requests: mpsc::Sender<Request>,
}

impl LocalProcesses {
    /// Starts the thread that starts processes.
    pub fn new() -> io::Result<LocalProcesses> {
        let (requests, receiver) = mpsc::channel(STARTS_READY_MAX);
        // The door to processes: the kernel ties their lives to the thread that starts them.
        std::thread::Builder::new()
            .name("processes".to_owned())
            .spawn(move || serve(receiver))?;
        Ok(LocalProcesses { requests })
    }
}

impl Processes for LocalProcesses {
    fn start(&self, command: Command) -> BoxFuture<'static, Started> {
        let (answer, started) = oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        let requests = self.requests.clone();
        Box::pin(async move {
            let request = Request {
                command,
                runtime,
                answer,
            };
            let ended = "the thread that starts processes has ended";
            requests.send(request).await.map_err(|_| machine(ended))?;
            started.await.map_err(|_| machine(ended))?
        })
    }
}

fn machine(detail: impl ToString) -> StartFailure {
    StartFailure::Machine {
        detail: detail.to_string(),
    }
}

fn serve(mut requests: mpsc::Receiver<Request>) {
    let mut python = None;
    while let Some(Request {
        command,
        runtime,
        answer,
    }) = requests.blocking_recv()
    {
        let _inside = runtime.enter();
        let started = start(command, &mut python);
        // A process that nobody waits for any more is killed by being dropped.
        drop(answer.send(started));
    }
}

fn start(command: Command, python: &mut Option<PathBuf>) -> Started {
    let (program, arguments): (PathBuf, Vec<OsString>) = match command.program {
        Program::Executable(path) => {
            refuse_unknown_format(&path)?;
            (path, Vec::new())
        }
        Program::Python(script) => {
            let interpreter = match python {
                Some(found) => found.clone(),
                None => python.insert(find_python()?).clone(),
            };
            // -B: the code directory is shared and stays as it was unpacked.
            (interpreter, vec!["-B".into(), script.into()])
        }
    };
    let (reader, writer) = io::pipe().map_err(machine)?;
    let error_writer = writer.try_clone().map_err(machine)?;
    let mut prepared = tokio::process::Command::new(&program);
    prepared
        .args(arguments)
        .env_clear()
        .envs(command.variables)
        .current_dir(&command.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::from(writer))
        .stderr(Stdio::from(error_writer))
        .process_group(0)
        .kill_on_drop(true);
    confine(&mut prepared);
    let spawned = prepared.spawn();
    // It holds ends of the pipe; as long as they are open, the end of the output is not seen.
    drop(prepared);
    let child = spawned.map_err(|error| failure(&program, &error))?;
    let process = LocalProcess::new(child, OwnedFd::from(reader)).map_err(machine)?;
    Ok(Box::new(process))
}

/// What the new process does to itself before it becomes the program.
fn confine(command: &mut tokio::process::Command) {
    let server = Pid::this();
    let prepare = move || {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        if nix::unistd::getppid() != server {
            // The server ended before the line above could take effect.
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        nix::sys::prctl::set_no_new_privs()?;
        // A server that is itself allowed less passes its own limits on.
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
        let _ = setrlimit(Resource::RLIMIT_NOFILE, FILES_MAX, FILES_MAX);
        let _ = stand_behind_the_server();
        // The server does without huge pages, which is no reason for a function to.
        let _ = nix::sys::prctl::set_thp_disable(false);
        Ok(())
    };
    #[expect(
        unsafe_code,
        reason = "only before exec can a process bind its life to its parent's"
    )]
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. `prepare` makes plain
    // system calls (prctl, getppid, setrlimit, sched_setattr), captures a number, and neither allocates nor locks;
    // an error from a raw OS code or from a kind does not allocate either.
    unsafe {
        command.pre_exec(prepare);
    }
}

/// The C library hands a file that the kernel does not know to the shell; AWS does not, so it is told
/// apart here. A file that cannot be read or executed is left to the kernel.
fn refuse_unknown_format(path: &Path) -> Result<(), StartFailure> {
    use std::os::unix::fs::PermissionsExt;
    let mut magic = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| {
        let executable = file.metadata()?.permissions().mode() & 0o111 != 0;
        let known_bytes_max = if executable { 4 } else { 0 };
        file.take(known_bytes_max).read_to_end(&mut magic)
    });
    let known = magic.starts_with(b"#!") || magic == b"\x7fELF";
    if known || magic.is_empty() || read.is_err() {
        return Ok(());
    }
    Err(failure(path, &io::Error::from(nix::errno::Errno::ENOEXEC)))
}

fn failure(program: &Path, error: &io::Error) -> StartFailure {
    let reason = match error.raw_os_error().map(nix::errno::Errno::from_raw) {
        Some(nix::errno::Errno::ENOENT) => "no such file or directory",
        Some(nix::errno::Errno::EACCES) => "permission denied",
        Some(nix::errno::Errno::ENOEXEC) => "exec format error",
        _ => return machine(error),
    };
    StartFailure::Program {
        program: program.display().to_string(),
        reason: reason.to_owned(),
    }
}

/// The interpreter itself: what is called `python3` on the path may be a script that looks for it, and
/// needs variables that a function does not get.
fn find_python() -> Result<PathBuf, StartFailure> {
    let asked = std::process::Command::new("python3")
        .args(["-c", "import sys; sys.stdout.write(sys.executable)"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|error| machine(format!("python3 could not be started: {error}")))?;
    let path = PathBuf::from(String::from_utf8_lossy(&asked.stdout).into_owned());
    if asked.status.success() && path.is_absolute() {
        Ok(path)
    } else {
        Err(machine("python3 did not say where it is"))
    }
}

/// A process of this machine.
struct LocalProcess {
    child: tokio::process::Child,
    group: Pid,
    output: pipe::Receiver,
    output_open: bool,
    /// Set until its end has been told.
    running: bool,
    buffer: Box<[u8]>,
}

impl LocalProcess {
    fn new(child: tokio::process::Child, reader: OwnedFd) -> io::Result<LocalProcess> {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.ok_or_else(|| io::Error::other("a process without a number"))?;
        Ok(LocalProcess {
            child,
            group: Pid::from_raw(id),
            output: pipe::Receiver::from_owned_fd(reader)?,
            output_open: true,
            running: true,
            buffer: vec![0; READ_BYTES_MAX].into_boxed_slice(),
        })
    }

    fn poll_output(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        while self.output_open {
            if ready!(self.output.poll_read_ready(context)).is_err() {
                break;
            }
            match self.output.try_read(&mut self.buffer) {
                Ok(0) => break,
                Ok(count) => {
                    return Poll::Ready(Some(Bytes::copy_from_slice(&self.buffer[..count])));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
        self.output_open = false;
        Poll::Ready(None)
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Exit> {
        use std::os::unix::process::ExitStatusExt;
        let wait = std::pin::pin!(self.child.wait());
        let exit = match ready!(wait.poll(context)) {
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, signal) => Exit::Signal(signal.unwrap_or_default()),
            },
            // The status cannot be had; the process is not there, and that is what counts.
            Err(_) => Exit::Code(0),
        };
        Poll::Ready(exit)
    }
}

impl Process for LocalProcess {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Happening> {
        if let Poll::Ready(Some(bytes)) = self.poll_output(context) {
            return Poll::Ready(Happening::Wrote(bytes));
        }
        if !self.running {
            return Poll::Pending;
        }
        let exit = ready!(self.poll_end(context));
        self.running = false;
        // What it started goes with it. The number of the group cannot be given to another process
        // as long as the group has members, and killing an empty group does nothing.
        let _ = killpg(self.group, Signal::SIGKILL);
        Poll::Ready(Happening::Ended(exit))
    }

    fn written(&mut self) -> Bytes {
        let mut written = Vec::new();
        // Not through the executor, which may not have heard yet that there is something to read.
        // Bounded: a process that writes without end must not keep its reader from everything else.
        while self.output_open && written.len() < 4 * READ_BYTES_MAX {
            match nix::unistd::read(self.output.as_fd(), &mut self.buffer) {
                Ok(0) => self.output_open = false,
                Ok(count) => written.extend_from_slice(&self.buffer[..count]),
                Err(nix::errno::Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        Bytes::from(written)
    }

    fn kill(&mut self) {
        if self.running {
            let _ = killpg(self.group, Signal::SIGKILL);
        }
    }
}

impl Drop for LocalProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn shell(script: &str) -> (tempfile::TempDir, Command) {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let command = Command {
            program: Program::Executable(program),
            variables: vec![("ONLY".into(), "this".into())],
            directory: directory.path().to_owned(),
        };
        (directory, command)
    }

    /// All that `process` writes, and how it ends.
    async fn watch(process: &mut dyn Process) -> (String, Exit) {
        let mut text = Vec::new();
        loop {
            match poll_fn(|context| process.poll(context)).await {
                Happening::Wrote(bytes) => text.extend_from_slice(&bytes),
                Happening::Ended(exit) => {
                    text.extend_from_slice(&process.written());
                    return (String::from_utf8(text).unwrap(), exit);
                }
            }
        }
    }

    #[tokio::test]
    async fn a_process_has_the_given_variables_no_input_and_one_output() {
        let processes = LocalProcesses::new().unwrap();
        let (_kept, command) =
            shell("echo \"$ONLY\" \"$HOME\"; echo error >&2; cat; ulimit -n; exit 5");
        let mut process = processes.start(command).await.unwrap();
        let (text, exit) = watch(&mut *process).await;
        assert_eq!(
            (text.as_str(), exit),
            ("this \nerror\n1024\n", Exit::Code(5))
        );
    }

    #[tokio::test]
    async fn what_a_function_starts_stands_behind_the_server() {
        let processes = LocalProcesses::new().unwrap();
        // How nice it is, and its scheduling class, which is SCHED_BATCH; see proc(5).
        let (_kept, command) = shell("cut -d' ' -f19,41 /proc/self/stat");
        let mut process = processes.start(command).await.unwrap();
        let (text, _) = watch(&mut *process).await;
        assert_eq!(text, "5 3\n");
    }

    #[tokio::test]
    async fn a_function_has_huge_pages_where_the_server_does_without() {
        nix::sys::prctl::set_thp_disable(true).unwrap();
        let processes = LocalProcesses::new().unwrap();
        // See proc(5).
        let (_kept, command) = shell("grep THP_enabled /proc/self/status");
        let started = processes.start(command).await;
        nix::sys::prctl::set_thp_disable(false).unwrap();
        let (text, _) = watch(&mut *started.unwrap()).await;
        assert_eq!(text, "THP_enabled:\t1\n");
    }

    #[tokio::test]
    async fn a_start_waits_for_its_turn_however_many_are_asked_for_at_once() {
        let processes = LocalProcesses::new().unwrap();
        let (_kept, command) = shell("exit 0");
        let starts: Vec<_> = (0..3 * STARTS_READY_MAX)
            .map(|_| processes.start(command.clone()))
            .collect();
        for start in starts {
            assert!(start.await.is_ok());
        }
    }

    #[tokio::test]
    async fn killing_takes_what_the_process_started_along() {
        let processes = LocalProcesses::new().unwrap();
        let (_kept, command) = shell("sleep 600 & echo $!; wait");
        let mut process = processes.start(command).await.unwrap();
        let Happening::Wrote(started) = poll_fn(|context| process.poll(context)).await else {
            panic!("it writes before it ends")
        };
        let started = std::str::from_utf8(&started).unwrap().trim().to_owned();
        process.kill();
        assert_eq!(watch(&mut *process).await.1, Exit::Signal(9));
        let place = format!("/proc/{started}/cwd");
        while Path::new(&place).exists() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_process_does_not_outlive_the_one_that_starts_processes() {
        let processes = LocalProcesses::new().unwrap();
        let (_kept, command) = shell("echo ready; exec sleep 600");
        let mut process = processes.start(command).await.unwrap();
        assert!(matches!(
            poll_fn(|context| process.poll(context)).await,
            Happening::Wrote(_)
        ));
        drop(processes);
        assert_eq!(watch(&mut *process).await.1, Exit::Signal(9));
    }
}
