// Package usage tells what a process has used of the machine.
package usage

import (
	"errors"
	"time"
)

// Usage is what one process has used.
type Usage struct {
	CPU  time.Duration // of all its threads, in user and kernel mode
	RSS  int64         // bytes in memory now
	Peak int64         // the most that RSS has been since the start or [ResetPeak]
}

// ErrUnsupported is returned where the system does not tell.
var ErrUnsupported = errors.New("usage of processes is known on linux alone")
