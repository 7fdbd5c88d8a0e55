package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/blobdock/blobdock/driver"
)

// racers is how many writers meet at one key.
const racers = 8

// race lets writers meet at one key, and counts what they are told.
func (a *asker) race(ctx context.Context, key string, c driver.Cond) (wins int, told string, failed error) {
	replies := make([]reply, racers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range replies {
		wg.Go(func() {
			<-start
			_, err := a.Put(ctx, key, section(fmt.Appendf(nil, "racer %d", i)), driver.WriteOptions{Cond: c})
			replies[i] = replyOf(err)
		})
	}
	close(start)
	wg.Wait()
	counts := make(map[string]int)
	for _, r := range replies {
		switch {
		case r.err == nil:
			wins++
			continue
		case r.status == 0:
			failed = r.failure()
		}
		counts[r.String()]++
	}
	lines := make([]string, 0, len(counts))
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, fmt.Sprintf("%d× %s", counts[what], what))
	}
	return wins, strings.Join(lines, ", "), failed
}

// putRace has writers without a condition meet.
func (a *asker) putRace(ctx context.Context, key string) (finding, error) {
	wins, told, err := a.race(ctx, key+"/object", driver.Cond{})
	switch {
	case err != nil:
		return finding{}, err
	case wins == racers:
		return finding{found: "all accepted"}, nil
	}
	return finding{found: "some refused", detail: told}, nil
}

// absentRace has writers meet that all want to be the first.
func (a *asker) absentRace(ctx context.Context, key string) (finding, error) {
	wins, told, err := a.race(ctx, key+"/object", driver.Cond{IfAbsent: true})
	if err != nil {
		return finding{}, err
	}
	return finding{found: fmt.Sprintf("%d wins", wins), detail: "the others: " + told}, nil
}
