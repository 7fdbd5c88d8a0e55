package driver_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

func TestCheckMetadata(t *testing.T) {
	for _, tt := range []struct {
		k, v string
		ok   bool
	}{
		{"a", "", true}, {"size-bytes", "42", true}, {"x2", "a b=c;~", true},
		{"", "x", false}, {"A", "x", false}, {"a_b", "x", false}, {"a b", "x", false}, {"é", "x", false},
		{"a", "ä", false}, {"a", "x\n", false}, {"a", " x", false}, {"a", "x ", false}, {"a", "\x7f", false},
	} {
		err := driver.CheckMetadata(map[string]string{"ok": "ok", tt.k: tt.v})
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, driver.Invalid) {
			t.Errorf("%q=%q: %v, want ok %t", tt.k, tt.v, err, tt.ok)
		}
	}
}

func TestWriteOptionsCheck(t *testing.T) {
	for _, tt := range []struct {
		name          string
		o             driver.WriteOptions
		write, upload bool
	}{
		{"none", driver.WriteOptions{}, true, true},
		{"metadata", driver.WriteOptions{ContentType: "a/b", Metadata: map[string]string{"a": "b"}}, true, true},
		{"condition", driver.WriteOptions{Cond: driver.Cond{IfMatch: "x"}}, true, false},
		{"digest", driver.WriteOptions{SHA256: make([]byte, 32)}, true, false},
		{"two conditions", driver.WriteOptions{Cond: driver.Cond{IfAbsent: true, IfMatch: "x"}}, false, false},
		{"short digest", driver.WriteOptions{SHA256: make([]byte, 31)}, false, false},
		{"bad metadata", driver.WriteOptions{Metadata: map[string]string{"A": "b"}}, false, false},
	} {
		if err := tt.o.Check(); (err == nil) != tt.write {
			t.Errorf("%s: Check: %v", tt.name, err)
		}
		if err := tt.o.CheckUpload(); (err == nil) != tt.upload {
			t.Errorf("%s: CheckUpload: %v", tt.name, err)
		}
	}
}

func TestCondSet(t *testing.T) {
	none, absent, match := driver.Cond{}, driver.Cond{IfAbsent: true}, driver.Cond{IfMatch: "x"}
	for _, tt := range []struct {
		set                 driver.CondSet
		none, absent, match bool
	}{
		{driver.NoCond, true, false, false},
		{driver.CondIfAbsent, true, true, false},
		{driver.CondIfMatch, true, false, true},
		{driver.AllConds, true, true, true},
	} {
		if tt.set.Allows(none) != tt.none || tt.set.Allows(absent) != tt.absent || tt.set.Allows(match) != tt.match {
			t.Errorf("set %d: allows %t, %t, %t", tt.set, tt.set.Allows(none), tt.set.Allows(absent), tt.set.Allows(match))
		}
	}
	if !none.IsZero() || absent.IsZero() || match.IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestRequestChecks(t *testing.T) {
	get := driver.SignRequest{Method: http.MethodGet, Key: "k", Expires: time.Minute}
	part, short, post := get, get, get
	part.Method, short.Expires, post.Method = http.MethodPut, time.Second-1, http.MethodPost
	for _, tt := range []struct {
		name string
		got  error
		want error
	}{
		{"sign GET", get.Check(), nil},
		{"sign GET where PUT can't be", get.CheckRead(), nil},
		{"sign PUT", part.Check(), nil},
		{"sign PUT where it can't be", part.CheckRead(), driver.Unsupported},
		{"sign for less than a second", short.Check(), driver.Invalid},
		{"sign POST", post.Check(), driver.Unsupported},
		{"copy", driver.CopyRequest{Options: driver.WriteOptions{SHA256: []byte("ignored")}}.Check(), nil},
		{"copy a range", driver.CopyRequest{Src: driver.Source{Range: driver.Range{Len: 1}}}.Check(), driver.Invalid},
		{"copy with two conditions", driver.CopyRequest{Options: driver.WriteOptions{Cond: driver.Cond{IfAbsent: true, IfMatch: "x"}}}.Check(), driver.Invalid},
		{"put what fits", driver.PartLimits{MaxPut: 5}.CheckPut(5), nil},
		{"put too much", driver.PartLimits{MaxPut: 5}.CheckPut(6), driver.Invalid},
		{"network", driver.CheckNetwork(driver.Network{MaxConns: 1}), nil},
		{"negative connections", driver.CheckNetwork(driver.Network{MaxConns: -1}), driver.Invalid},
		{"negative dial", driver.CheckNetwork(driver.Network{DialTimeout: -1}), driver.Invalid},
		{"negative stall", driver.CheckNetwork(driver.Network{StallTimeout: -1}), driver.Invalid},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}
