package usage

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Of is what the process pid has used.
func Of(pid int) (Usage, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(cpuClock(pid), &ts); err != nil {
		return Usage{}, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	u := Usage{CPU: time.Duration(ts.Nano())}
	// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Usage{}, err
	}
	for line := range strings.Lines(string(b)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			u.Peak = kb << 10
		}
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			u.RSS = kb << 10
		}
	}
	if u.Peak == 0 || u.RSS == 0 {
		return Usage{}, fmt.Errorf("process %d has no memory", pid)
	}
	return u, nil
}

// cpuClock is the clock of a process's CPU time, to the nanosecond, where /proc
// has hundredths of a second.
// https://man7.org/linux/man-pages/man3/clock_getcpuclockid.3.html
func cpuClock(pid int) int32 {
	const perProcess = 2 // CPUCLOCK_SCHED, in the kernel's posix-timers.h
	return int32(^pid)<<3 | perProcess
}

// ResetPeak forgets how much memory the process pid has had.
// https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html
func ResetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}
