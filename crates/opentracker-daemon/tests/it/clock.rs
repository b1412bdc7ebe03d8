//! A program whose clock is not that of its host.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

use crate::program::Setup;

/// What stands between the program and its clock: seconds from a file are added to the time of day.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static const volatile long *step;
static int (*system_clock)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void)
{
    system_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    step = mmap(NULL, sizeof *step, PROT_READ, MAP_SHARED, open(getenv("CLOCK_STEP"), O_RDONLY), 0);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = system_clock(clock, time);
    if (clock == CLOCK_REALTIME)
        time->tv_sec += *step;
    return result;
}
"#;

/// Lets the program have a clock that can be set; returns the file that says how far it is off.
pub(crate) fn install(setup: &mut Setup) -> File {
    let (source, library) = (setup.write("clock.c", CLOCK), setup.path("clock.so"));
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O1", "-o"]);
    let compiled = compile.arg(&library).arg(source).arg("-ldl").status();
    assert!(compiled.unwrap().success());
    let step = setup.path("step");
    setup
        .variable("LD_PRELOAD", library)
        .variable("CLOCK_STEP", &step);
    let file = File::create(step).unwrap();
    set(&file, 0);
    file
}

/// Lets the clock be so far ahead, or behind.
pub(crate) fn set(file: &File, seconds: i64) {
    file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
}
