package blobstore

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// from makes a context for a request of addr; "" is none.
func from(addr string) context.Context {
	if addr == "" {
		return context.Background()
	}
	r := httptest.NewRequest(http.MethodPatch, "/", nil)
	r.RemoteAddr = addr
	return context.WithValue(context.Background(), requestKey, r) //nolint:staticcheck // distribution's own key
}

func TestClientOf(t *testing.T) {
	for addr, want := range map[string]string{
		"":                           "invalid Prefix",
		"pipe":                       "invalid Prefix",
		"192.0.2.1:1234":             "192.0.2.1/32",
		"[::ffff:192.0.2.1]:1234":    "192.0.2.1/32",
		"[2001:db8:1:2:3::4]:1234":   "2001:db8:1:2::/64",
		"[fe80::1%eth0]:1234":        "fe80::/64",
		"[2001:db8:1:2:ffff::]:1234": "2001:db8:1:2::/64",
	} {
		if got := clientOf(from(addr)).String(); got != want {
			t.Errorf("%q: %s, want %s", addr, got, want)
		}
	}
}

// TestTurns has clients ask for more than there is, and looks in what order they get it.
// No two get it at the same moment.
func TestTurns(t *testing.T) {
	type ask struct {
		name, client string
		bytes        int64
	}
	for _, tt := range []struct {
		name string
		held []ask // given back one after the other
		asks []ask
		want []string
	}{
		{"first come, first served", []ask{{"", "a", 1}, {"", "a", 1}},
			[]ask{{"b1", "b", 1}, {"b2", "b", 1}}, []string{"b1", "b2"}},
		{"who holds less comes first", []ask{{"", "a", 1}, {"", "a", 1}, {"", "a", 1}},
			[]ask{{"a1", "a", 1}, {"a2", "a", 1}, {"b1", "b", 1}}, []string{"b1", "a1", "a2"}},
		{"in turn", []ask{{"", "c", 1}, {"", "c", 1}, {"", "c", 1}, {"", "c", 1}},
			[]ask{{"a1", "a", 1}, {"a2", "a", 1}, {"a3", "a", 1}, {"b1", "b", 1}}, []string{"a1", "b1", "a2", "a3"}},
		{"by age every fourth time", []ask{{"", "c", 1}, {"", "c", 1}, {"", "c", 1}, {"", "c", 1}, {"", "c", 1}},
			[]ask{{"c1", "c", 1}, {"a1", "a", 1}, {"b1", "b", 1}, {"d1", "d", 1}, {"e1", "e", 1}}, []string{"a1", "b1", "d1", "c1", "e1"}},
		{"by bytes", []ask{{"", "c", 1}, {"", "c", 1}, {"", "c", 1}, {"", "c", 1}, {"", "c", 1}},
			[]ask{{"a1", "a", 3}, {"a2", "a", 1}, {"b1", "b", 1}}, []string{"a1", "b1", "a2"}},
		{"the large one is not overtaken", []ask{{"", "c", 1}, {"", "c", 1}, {"", "c", 1}},
			[]ask{{"a1", "a", 3}, {"b1", "b", 1}}, []string{"a1", "b1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				of := func(a ask) client {
					return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, a.client[0]}), 32)
				}
				var all int64
				for _, h := range tt.held {
					all += h.bytes
				}
				turns := newTurns(all)
				for _, h := range tt.held {
					if !turns.try(of(h), h.bytes) {
						t.Fatal("what is free can't be had")
					}
				}
				var got []string
				came := make(chan string, len(tt.asks))
				for _, a := range tt.asks {
					go func() {
						if err := turns.wait(t.Context(), of(a), a.bytes); err != nil {
							t.Error(err)
						}
						came <- a.name
					}()
					synctest.Wait()
				}
				if n := turns.waiting.Load(); n != int64(len(tt.asks)) || turns.try(of(tt.asks[0]), 1) {
					t.Errorf("%d wait, and there was something left", n)
				}
				let := func() {
					synctest.Wait()
					for len(came) > 0 {
						got = append(got, <-came)
					}
				}
				for _, h := range tt.held {
					turns.release(of(h), h.bytes)
					let()
				}
				for _, a := range tt.asks {
					turns.release(of(a), a.bytes)
					let()
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("in the order %q, want %q", got, tt.want)
				}
				if turns.free != all || len(turns.held) != 0 || turns.waiting.Load() != 0 {
					t.Errorf("at the end %d of %d bytes are free, %d clients hold some", turns.free, all, len(turns.held))
				}
			})
		})
	}
}

// Who gives up lets those behind it go ahead, and leaves nothing taken.
func TestTurnGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(2)
		a, b, c := client{}, clientOf(from("192.0.2.1:1")), clientOf(from("192.0.2.2:1"))
		if !turns.try(a, 1) {
			t.Fatal("what is free can't be had")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		large, small := make(chan error, 1), make(chan error, 1)
		go func() { large <- turns.wait(ctx, b, 2) }()
		synctest.Wait()
		go func() { small <- turns.wait(t.Context(), c, 1) }()
		synctest.Wait()
		if len(small) != 0 {
			t.Error("the large one was overtaken")
		}
		if err := <-large; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v, want the deadline", err)
		}
		if err := <-small; err != nil {
			t.Error(err)
		}
		turns.release(a, 1)
		turns.release(c, 1)
		if turns.free != 2 || len(turns.held) != 0 {
			t.Errorf("%d of 2 bytes are free, %d clients hold some", turns.free, len(turns.held))
		}
	})
}
