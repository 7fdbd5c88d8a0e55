package main

import "syscall"

// dieWithParent has the kernel kill the child when this process is killed, and so
// can't clean up.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
