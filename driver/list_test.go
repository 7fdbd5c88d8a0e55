package driver_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/meter"
)

func TestList(t *testing.T) {
	store := mem.New()
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprint("key", i))
		put(t, store, want[i], "x")
	}
	var calls meter.Counter
	b := meter.Wrap(store, calls.Observe)
	var got []string
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{Limit: 4}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Key)
	}
	if !slices.Equal(got, want) || calls.String() != "list 3\n" {
		t.Errorf("got %q in\n%s", got, &calls)
	}
	calls.Reset()
	for range driver.List(t.Context(), b, driver.ListRequest{Limit: 4}) {
		break
	}
	if calls.String() != "list 1\n" {
		t.Errorf("after a break:\n%s", &calls)
	}
	got = nil
	var last error
	for e, err := range driver.List(t.Context(), fault.Wrap(store, fault.Script{{Op: driver.OpList, Nth: 2}}), driver.ListRequest{Limit: 4}) {
		last = err
		got = append(got, e.Key)
	}
	if !errors.Is(last, fault.ErrInjected) || !slices.Equal(got, append(want[:4:4], "")) {
		t.Errorf("got %q, then %v", got, last)
	}
}

func TestListRequestCheck(t *testing.T) {
	for _, tt := range []struct {
		q             driver.ListRequest
		size          int
		keys, uploads bool
	}{
		{driver.ListRequest{}, 1000, true, true},
		{driver.ListRequest{Limit: 1}, 1, true, true},
		{driver.ListRequest{Limit: 5000}, 1000, true, true},
		{driver.ListRequest{Delimiter: "/"}, 1000, true, false},
		{driver.ListRequest{Delimiter: "-"}, 1000, false, false},
		{driver.ListRequest{Limit: -1}, 0, false, false},
	} {
		if got := tt.q.Check() == nil; got != tt.keys {
			t.Errorf("%+v.Check() = %v", tt.q, tt.q.Check())
		}
		if got := tt.q.CheckUploads() == nil; got != tt.uploads {
			t.Errorf("%+v.CheckUploads() = %v", tt.q, tt.q.CheckUploads())
		}
		if got := tt.q.PageSize(); tt.size > 0 && got != tt.size {
			t.Errorf("%+v.PageSize() = %d, want %d", tt.q, got, tt.size)
		}
	}
}
