package file

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// TestKinds classifies what the system says of a write.
func TestKinds(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want driver.Kind
	}{
		{syscall.ENOSPC, driver.Full},
		{syscall.EDQUOT, driver.Full},
		{syscall.EFBIG, driver.TooLarge},
		{syscall.EROFS, driver.Denied},
		{syscall.EACCES, driver.Denied},
		{syscall.EIO, driver.Unavailable},
		{syscall.ENOENT, driver.NotFound},
		{syscall.ENAMETOOLONG, driver.Invalid},
		{errors.New("some other"), driver.Unknown},
	} {
		err := fail(driver.OpPut, "key", &fs.PathError{Op: "write", Path: "name", Err: tt.err})
		if driver.KindOf(err) != tt.want || !errors.Is(err, tt.err) || driver.OutcomeUnknown(err) {
			t.Errorf("%v: got %v, want %v", tt.err, err, tt.want)
		}
		if err := fail(driver.OpPut, "key", &done{tt.err}); driver.KindOf(err) != driver.Unavailable || !driver.OutcomeUnknown(err) {
			t.Errorf("%v after the write: got %v, want an unknown outcome", tt.err, err)
		}
	}
}
