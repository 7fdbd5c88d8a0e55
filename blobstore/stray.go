package blobstore

import (
	"sync"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/retry"
)

// strays are the keys at which an upload may have been begun that nobody knows the
// id of: the reply was lost, and the call repeated.
type strays struct{ keys sync.Map }

// watch has p tell s of the calls that it repeats.
func (s *strays) watch(p retry.Policy) retry.Policy {
	told := p.OnRetry
	p.OnRetry = func(op driver.Op, key string, attempt int, err error) {
		if op == driver.OpCreateUpload && driver.MayHave(err) {
			s.keys.Store(key, nil)
		}
		if told != nil {
			told(op, key, attempt, err)
		}
	}
	return p
}

// take tells whether there may be a stray upload at key, and forgets it.
func (s *strays) take(key string) bool {
	_, ok := s.keys.LoadAndDelete(key)
	return ok
}
