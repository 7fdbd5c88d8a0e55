package memory

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
)

func client(n byte) Client {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), 32)
}

// nothing is the spill of holders that never have any idle bytes.
func nothing() {}

// grow gives the buffer one more slab of minSlab bytes.
func grow(t testing.TB, b *Buffer) {
	t.Helper()
	s, err := b.holder.Acquire(t.Context(), minSlab)
	if err != nil {
		t.Fatal(err)
	}
	b.Add(s)
}

// TestGrantOrder has holders ask for more than there is, and looks in what order they get
// it. No two get it at the same moment.
func TestGrantOrder(t *testing.T) {
	type ask struct {
		name   string
		client byte
		slabs  int64
	}
	held := func(clients ...byte) (all []ask) {
		for _, c := range clients {
			all = append(all, ask{"", c, 1})
		}
		return all
	}
	for _, tt := range []struct {
		name string
		held []ask // given back one after the other
		asks []ask
		want []string
	}{
		{"first come, first served", held('a', 'a'), []ask{{"b1", 'b', 1}, {"b2", 'b', 1}}, []string{"b1", "b2"}},
		{"the client that holds less comes first", held('a', 'a', 'a'), []ask{{"a1", 'a', 1}, {"a2", 'a', 1}, {"b1", 'b', 1}}, []string{"b1", "a1", "a2"}},
		{"in turn", held('c', 'c', 'c', 'c'), []ask{{"a1", 'a', 1}, {"a2", 'a', 1}, {"a3", 'a', 1}, {"b1", 'b', 1}}, []string{"a1", "b1", "a2", "a3"}},
		{"by age every fourth time", held('c', 'c', 'c', 'c', 'c'),
			[]ask{{"c1", 'c', 1}, {"a1", 'a', 1}, {"b1", 'b', 1}, {"d1", 'd', 1}, {"e1", 'e', 1}}, []string{"a1", "b1", "d1", "c1", "e1"}},
		{"the large one is not overtaken", held('c', 'c'), []ask{{"a1", 'a', 2}, {"b1", 'b', 1}}, []string{"a1", "b1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := New(int64(len(tt.held)) * minSlab)
				buffers := make([]*Buffer, len(tt.held))
				for i, h := range tt.held {
					buffers[i] = b.Join(client(h.client), nothing).NewBuffer()
					grow(t, buffers[i])
				}
				var mu sync.Mutex
				var got []string
				asking := make([]*Buffer, len(tt.asks))
				for i, a := range tt.asks {
					asking[i] = b.Join(client(a.client), nothing).NewBuffer()
					go func() {
						if err := asking[i].GrowAll(t.Context(), a.slabs*minSlab); err != nil {
							t.Error(err)
						}
						mu.Lock()
						defer mu.Unlock()
						got = append(got, a.name)
					}()
					synctest.Wait()
				}
				if u := b.Usage(); u.Waiting != int64(len(tt.asks)) || u.Used != u.Total {
					t.Errorf("while all wait: %+v", u)
				}
				for _, held := range append(buffers, asking...) {
					held.Release()
					synctest.Wait()
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("in the order %q, want %q", got, tt.want)
				}
				for _, held := range append(buffers, asking...) {
					held.Release()
					held.holder.Leave()
				}
				if u := b.Usage(); u != (Usage{Total: u.Total}) || len(b.clients) != 0 {
					t.Errorf("at the end: %+v, %d clients hold some", u, len(b.clients))
				}
			})
		})
	}
}

// TestWaiterGivesUp lets those behind it go ahead, and leaves nothing taken.
func TestWaiterGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(2 * minSlab)
		one := b.Join(client(1), nothing).NewBuffer()
		grow(t, one)
		large, small := b.Join(client(2), nothing).NewBuffer(), b.Join(client(3), nothing).NewBuffer()
		why := errors.New("why")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		gaveUp, came := make(chan error, 1), make(chan error, 1)
		go func() { gaveUp <- large.GrowAll(ctx, 2*minSlab) }()
		synctest.Wait()
		go func() { came <- small.GrowAll(t.Context(), minSlab) }()
		synctest.Wait()
		if len(came) != 0 {
			t.Error("the large one was overtaken")
		}
		if err := <-gaveUp; !errors.Is(err, why) {
			t.Errorf("err = %v, want %v", err, why)
		}
		if err := <-came; err != nil {
			t.Error(err)
		}
		one.Release()
		small.Release()
		if u := b.Usage(); u.Used != 0 || u.Waiting != 0 || len(b.clients) != 0 {
			t.Errorf("at the end: %+v", u)
		}
	})
}

// TestGrantedAndCancelled ends the context at the moment of the grant, many times.
func TestGrantedAndCancelled(t *testing.T) {
	b := New(minSlab)
	one, two := b.Join(client(1), nothing).NewBuffer(), b.Join(client(2), nothing).NewBuffer()
	for range 500 {
		grow(t, one)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- two.GrowAll(ctx, minSlab) }()
		for b.Usage().Waiting == 0 {
			time.Sleep(time.Microsecond)
		}
		go cancel()
		one.Release()
		if err := <-done; err == nil {
			two.Release()
		}
		if u := b.Usage(); u.Used != 0 || u.Waiting != 0 {
			t.Fatalf("%+v", u)
		}
	}
}

func TestTooMuch(t *testing.T) {
	b := New(2 * minSlab)
	if err := b.Join(client(1), nothing).NewBuffer().GrowAll(t.Context(), 3*minSlab); !errors.Is(err, driver.Invalid) {
		t.Errorf("err = %v, want %v", err, driver.Invalid)
	}
}

// TestSpill has the budget ask the cache first, and then the holders by the time for which
// they have been idle, and no more of them than it needs.
func TestSpill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(4 * minSlab)
		var mu sync.Mutex
		var spilled []string
		join := func(name string, cache bool) *Buffer {
			var buf *Buffer
			spill := func() {
				mu.Lock()
				spilled = append(spilled, name)
				mu.Unlock()
				buf.holder.SetIdle(0)
				buf.Release()
			}
			if cache {
				buf = b.JoinCache(spill).NewBuffer()
			} else {
				buf = b.Join(client(1), spill).NewBuffer()
			}
			grow(t, buf)
			return buf
		}
		for _, name := range []string{"first", "second", "third"} {
			join(name, false).holder.SetIdle(minSlab)
			time.Sleep(time.Millisecond)
		}
		join("cache", true).holder.SetIdle(minSlab)
		if u := b.Usage(); u.Used != 3*minSlab || u.Cached != minSlab || u.Holders != 3 {
			t.Errorf("%+v", u)
		}
		newcomer := b.Join(client(2), nothing).NewBuffer()
		for _, want := range [][]string{{"cache"}, {"cache", "first"}, {"cache", "first", "second"}} {
			grow(t, newcomer)
			synctest.Wait()
			if !slices.Equal(spilled, want) {
				t.Errorf("spilled: %q, want %q", spilled, want)
			}
		}
	})
}

// TestSpillFails asks a holder that can't spill again after a pause, not at once, and
// another one meanwhile.
func TestSpillFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(2 * minSlab)
		var tries atomic.Int32
		var down atomic.Bool
		down.Store(true)
		var stuck, able *Buffer
		stuck = b.Join(client(1), func() {
			if tries.Add(1); !down.Load() {
				stuck.holder.SetIdle(0)
				stuck.Release()
			}
		}).NewBuffer()
		able = b.Join(client(1), func() { able.holder.SetIdle(0); able.Release() }).NewBuffer()
		grow(t, stuck)
		stuck.holder.SetIdle(minSlab)
		time.Sleep(time.Second)
		grow(t, able)
		able.holder.SetIdle(minSlab)
		newcomer := b.Join(client(2), nothing).NewBuffer()
		grow(t, newcomer) // it is able's
		if n := tries.Load(); n != 1 {
			t.Errorf("%d tries to spill, want 1", n)
		}
		came := make(chan error, 1)
		go func() { came <- newcomer.GrowAll(t.Context(), 2*minSlab) }()
		time.Sleep(10*spillPause + spillPause/2)
		if n := tries.Load(); n < 5 || n > 15 {
			t.Errorf("%d tries to spill in ten pauses", n)
		}
		down.Store(false)
		if err := <-came; err != nil {
			t.Error(err)
		}
	})
}

// TestAllAtOnce has many holders that need several slabs each, and hold nothing while they
// wait for them: none waits for another for ever.
func TestAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(8 * minSlab)
		var wg sync.WaitGroup
		for i := range 50 {
			buf := b.Join(client(byte(i)), nothing).NewBuffer()
			wg.Go(func() {
				for range 5 {
					if err := buf.GrowAll(t.Context(), 5*minSlab); err != nil {
						t.Error(err)
					}
					if buf.Room() < 5*minSlab {
						t.Errorf("room for %d bytes, want %d", buf.Room(), 5*minSlab)
					}
					time.Sleep(time.Millisecond)
					buf.Release()
				}
			})
		}
		wg.Wait()
		if u := b.Usage(); u.Used != 0 || u.Waiting != 0 {
			t.Errorf("at the end: %+v", u)
		}
		one, two := b.Join(client(1), nothing).NewBuffer(), b.Join(client(2), nothing).NewBuffer()
		grow(t, one)
		if err := two.TryGrowAll(8 * minSlab); !errors.Is(err, ErrBusy) || two.Room() != 0 {
			t.Errorf("err = %v, room %d, want %v and none", err, two.Room(), ErrBusy)
		}
		if err := two.TryGrowAll(4 * minSlab); err != nil || two.Room() < 4*minSlab {
			t.Errorf("err = %v, room %d", err, two.Room())
		}
	})
}

// TestPartialHolders has more holders than there is memory for each take slab after slab.
// They spill for each other, and all get through.
func TestPartialHolders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(8 * minSlab)
		var wg sync.WaitGroup
		for i := range 50 {
			var mu sync.Mutex
			var buf *Buffer
			buf = b.Join(client(byte(i%7)), func() {
				mu.Lock()
				defer mu.Unlock()
				buf.holder.SetIdle(0)
				buf.Release()
			}).NewBuffer()
			wg.Go(func() {
				for range 20 {
					s, err := buf.holder.Acquire(t.Context(), minSlab)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					buf.Add(s)
					buf.holder.SetIdle(buf.Room())
					mu.Unlock()
				}
				mu.Lock()
				defer mu.Unlock()
				buf.holder.SetIdle(0)
				buf.Release()
				buf.holder.Leave()
			})
		}
		wg.Wait()
		if u := b.Usage(); u != (Usage{Total: u.Total}) {
			t.Errorf("at the end: %+v", u)
		}
	})
}

// TestEase has holders rest with more than half of the budget while nobody waits. Those
// that have rested for longest spill, until the others have half; those at work, and the
// cache, keep what they have.
func TestEase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slabs = 100
		b := New(slabs * minSlab)
		type upload struct {
			*Buffer
			spilled int
		}
		var spilling, most atomic.Int32
		var up []*upload
		join := func(cache bool) *upload {
			u := &upload{}
			spill := func() {
				most.Store(max(most.Load(), spilling.Add(1)))
				time.Sleep(10 * time.Millisecond)
				spilling.Add(-1)
				u.spilled++
				u.Release()
				u.holder.SetIdle(0)
			}
			h := b.Join(client(1), spill)
			if cache {
				h = b.JoinCache(spill)
			}
			u.Buffer = h.NewBuffer()
			grow(t, u.Buffer)
			h.SetIdle(minSlab)
			up = append(up, u)
			return u
		}
		cache := join(true)
		time.Sleep(time.Hour)
		var resting []*upload
		for range 80 {
			resting = append(resting, join(false))
			time.Sleep(time.Millisecond)
		}
		active := join(false)
		for range 100 { // the clock of one that is at work
			time.Sleep(restAfter / 10)
			active.holder.SetIdle(minSlab)
		}
		synctest.Wait()
		for i, u := range resting {
			if want := i < 80-slabs/2; (u.spilled == 1) != want {
				t.Errorf("holder %d has spilled %d times, want it to: %t", i, u.spilled, want)
			}
		}
		if active.spilled+cache.spilled > 0 || most.Load() > maxEasing {
			t.Errorf("%d and %d spills of the holder at work and the cache, %d at the same time, want none and at most %d", active.spilled, cache.spilled, most.Load(), maxEasing)
		}
		if u := b.Usage(); u.Used != (slabs/2+1)*minSlab {
			t.Errorf("in the end %+v", u)
		}
		for _, u := range up {
			u.Release()
		}
		time.Sleep(time.Hour)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.easing {
			t.Error("an empty budget is looked after")
		}
	})
}

// TestEaseFails has no holder able to spill, for an hour: each is tried now and then.
func TestEaseFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(10 * minSlab)
		var tries atomic.Int32
		for range 10 {
			h := b.Join(client(1), func() { tries.Add(1) })
			grow(t, h.NewBuffer())
			h.SetIdle(minSlab)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := tries.Load(); n < 3600 || n > 10*3600 {
			t.Errorf("%d tries in an hour, want about one a holder and second", n)
		}
	})
}
