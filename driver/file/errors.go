package file

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/blobdock/blobdock/driver"
)

// kinds says what the system's errors mean for the caller.
var kinds = []struct {
	err  error
	kind driver.Kind
}{
	{fs.ErrNotExist, driver.NotFound},
	{syscall.ENOTDIR, driver.NotFound}, // a parent of the key is an object itself
	{fs.ErrPermission, driver.Denied},
	{syscall.EROFS, driver.Denied},
	{syscall.ENAMETOOLONG, driver.Invalid},
	{syscall.EISDIR, driver.Invalid},
	{syscall.ELOOP, driver.Invalid},
	{syscall.EXDEV, driver.Unsupported}, // between the quotas of two projects
	{syscall.ENOSPC, driver.Full},
	{syscall.EDQUOT, driver.Full},
	{syscall.EFBIG, driver.TooLarge},
	{syscall.EIO, driver.Unavailable},
	{syscall.EMFILE, driver.Unavailable},
	{syscall.ENFILE, driver.Unavailable},
}

// kind classifies an error of the file system.
func kind(err error) error {
	var known driver.Kind
	if err == nil || errors.As(err, &known) {
		return err
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return fmt.Errorf("%w: %w", k.kind, err)
		}
	}
	return err
}

// fail is the error of a call. A nil err is nil.
func fail(op driver.Op, key string, err error) error {
	if err == nil {
		return nil
	}
	e := driver.NewError(op, key, kind(err))
	var d *done
	if errors.As(err, &d) {
		e.Kind, e.OutcomeUnknown = driver.Unavailable, true
	}
	return e
}

// done is an error that came after the write had taken effect.
type done struct{ err error }

func (d *done) Error() string { return "after the write: " + d.err.Error() }
func (d *done) Unwrap() error { return d.err }
