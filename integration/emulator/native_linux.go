package emulator

import "syscall"

// dieWithParent has the kernel kill the child when the test is killed, or
// panics at its time limit, and so can't clean up.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
