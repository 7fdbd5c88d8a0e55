//go:build !linux

package emulator

import "syscall"

// dieWithParent has no counterpart outside Linux: there a server outlives a
// test that is killed.
func dieWithParent() *syscall.SysProcAttr { return nil }
