//go:build !unix

package file

import "os"

// tryLock does nothing: without flock only one process may write to a root.
func tryLock(*os.File) (bool, error) { return true, nil }
