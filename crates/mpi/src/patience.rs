//! Waiting for other ranks: for how long, and who is late then.

use std::time::{Duration, Instant};

use ferrompi::{Communicator as Comm, Request, Result};

/// What a rank that has waited for too long sends to all others: those that wait too answer at once, and who does not is late.
pub(crate) const LATE: i32 = 2;

/// How long all have to answer.
const ANSWERS: Duration = Duration::from_secs(1);
/// How often a rank that waits looks for such questions.
const LOOKS: Duration = Duration::from_millis(50);
/// How long a rank that waits while another thread computes sleeps between two looks, so that thread has their core. With 200 µs, messages that
/// are copied piece by piece took twice as long as the pass that they were to hide behind.
const SLEEP: Duration = Duration::from_micros(30);

/// How long another rank is waited for.
pub(crate) struct Patience {
    time: Duration,
}

impl Patience {
    pub(crate) fn of(time: Duration) -> Self {
        Patience { time }
    }

    /// Waits until all requests are done; or ends all ranks with a sentence that names the one that is late.
    pub(crate) fn wait(&self, comm: &Comm, what: &str, requests: &mut [Request<'_>], yields: bool) -> Result<()> {
        let (began, mut next_look) = (Instant::now(), LOOKS);
        let mut answered = vec![false; comm.size() as usize];
        loop {
            for request in requests.iter_mut().filter(|request| !request.is_completed()) {
                request.test()?;
            }
            if requests.iter().all(Request::is_completed) {
                return Ok(());
            }
            if yields {
                std::thread::sleep(SLEEP);
            } else {
                std::thread::yield_now();
            }
            let waited = began.elapsed();
            if waited > next_look {
                next_look = waited + LOOKS;
                answer(comm, &mut answered)?;
            }
            if waited > self.time {
                self.end_all(comm, what, answered);
            }
        }
    }

    /// Asks who waits too, and ends all ranks.
    fn end_all(&self, comm: &Comm, what: &str, mut answered: Vec<bool>) -> ! {
        let rank = comm.rank() as usize;
        let asked = Instant::now();
        for (to, answered) in answered.iter_mut().enumerate() {
            // A question or an answer is no more than that: it is on its way at once, whether anybody takes it or not.
            if to != rank && !*answered {
                let _ = comm.send(&[0_u8], to as i32, LATE);
            }
        }
        while asked.elapsed() < ANSWERS {
            let _ = answer(comm, &mut answered);
            std::thread::sleep(Duration::from_millis(1));
        }
        answered[rank] = true;
        let late: Vec<String> =
            (0..answered.len()).filter(|of| !answered[*of]).map(|of| format!("rank {of}")).collect();
        let waited = format!("within {:?}, while rank {rank} waits to {what}", self.time);
        // One says it for all who wait as long, and ends them.
        if answered.iter().position(|is_here| *is_here) != Some(rank) {
            std::thread::sleep(ANSWERS);
        }
        match &late[..] {
            [] => eprintln!(
                "all ranks wait for each other, and nothing comes {waited}: they are at different places of the program; start all with the \
                 same"
            ),
            late => eprintln!(
                "{} has not come {waited}: it has ended, hangs, or computes for longer than `World::patience`; all ranks end here",
                late.join(", ")
            ),
        }
        comm.abort(1)
    }
}

/// Takes the questions and answers that have come, and answers each rank once.
fn answer(comm: &Comm, answered: &mut [bool]) -> Result<()> {
    for (from, answered) in answered.iter_mut().enumerate() {
        if comm.iprobe::<u8>(from as i32, LATE)?.is_none() {
            continue;
        }
        comm.recv(&mut [0_u8], from as i32, LATE)?;
        if !std::mem::replace(answered, true) {
            comm.send(&[0_u8], from as i32, LATE)?;
        }
    }
    Ok(())
}
