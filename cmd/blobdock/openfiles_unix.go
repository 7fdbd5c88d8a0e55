//go:build unix

package main

import "golang.org/x/sys/unix"

// openFiles is how many files and connections the process may have open; 0 is unknown.
func openFiles() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur) //nolint:unconvert // int64 on FreeBSD
}
