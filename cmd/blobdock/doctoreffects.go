package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/distribution/v3/configuration"

	"github.com/blobdock/blobdock/driver"
	blobdock "github.com/blobdock/blobdock/registry"
)

// effectsOf says what a registry of this configuration does on a store with these features.
func effectsOf(config *configuration.Configuration, c blobdock.Config, f driver.Features) ([]effect, error) {
	upkeep, err := upkeepOf(config)
	if err != nil {
		return nil, err
	}
	all := []effect{
		{"listens", listens(config)},
		{"access", access(config)},
		{"pulls", pulls(c, f)},
		{"pushes", pushes(config, c)},
		{"deletes", deletes(config)},
		{"sweep", upkeep.sweep()},
		{"gc", upkeep.gc()},
		{"pull times", upkeep.of("pulls", "are recorded every %s", "interval")},
		{"usage", upkeep.of("usage", "is counted every %s", "interval")},
		{"signatures", onOff(c.Signatures, "the HTTP extension for signatures is served", "no HTTP extension for signatures")},
	}
	if config.HTTP.Secret == "" {
		all = append(all, effect{"replicas", "http.secret is not set: an upload cannot move from one replica to another"})
	}
	if url := config.Proxy.RemoteURL; url != "" {
		all = append(all, effect{"cache", "is a pull-through cache of " + redactURLs(url)})
	}
	return all, nil
}

func onOff(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}

func listens(config *configuration.Configuration) string {
	scheme := "http"
	if t := config.HTTP.TLS; t.Certificate != "" || t.LetsEncrypt.CacheFile != "" {
		scheme = "https"
	}
	text := scheme + "://" + config.HTTP.Addr + config.HTTP.Prefix
	if config.HTTP.Net == "unix" {
		text = "on the unix socket " + config.HTTP.Addr
	}
	if addr := config.HTTP.Debug.Addr; addr != "" {
		text += "; health, pprof" + onOff(config.HTTP.Debug.Prometheus.Enabled, " and metrics", "") + " on " + addr
	}
	return fmt.Sprintf("%s; at its stop requests have %v to end", text, config.HTTP.DrainTimeout)
}

func access(config *configuration.Configuration) string {
	if kind := config.Auth.Type(); kind != "" {
		return "by auth " + kind
	}
	return "everybody: there is no section auth"
}

// pulls says where clients are sent for blobs.
func pulls(c blobdock.Config, f driver.Features) string {
	p, signer := c.Options.Redirect, c.Options.Signer
	switch {
	case p.Off:
		return "blobs are streamed: redirect is off"
	case signer == nil && f.Sign == nil:
		return "blobs are streamed: the store signs no URLs with this configuration"
	}
	text := fmt.Sprintf("blobs are redirected to signed URLs of %s for %v", onOff(signer == nil, "the store", "redirect_signer"), c.Options.RedirectExpiry)
	streamed := []string{"blobs below " + driver.FormatBytes(p.MinSize)}
	for _, n := range []struct {
		count int
		text  string
	}{
		{len(p.Networks), "clients outside of redirect_networks"},
		{len(p.ExceptNetworks), "clients in redirect_except_networks"},
		{len(p.ExceptAgents), "clients of redirect_except_agents"},
		{len(p.ExceptRepositories), "repositories of redirect_except_repositories"},
	} {
		if n.count > 0 {
			streamed = append(streamed, n.text)
		}
	}
	return text + "; streamed are " + strings.Join(streamed, ", ")
}

func pushes(config *configuration.Configuration, c blobdock.Config) string {
	if section(config, "readonly")["enabled"] == true {
		return "are refused: the registry is read-only"
	}
	text := fmt.Sprintf("part buffers of %s in all, for one of which a push waits %v", driver.FormatBytes(c.Options.MemoryBudget), c.Options.MemoryWait)
	if c.Body.Timeout > 0 {
		text += fmt.Sprintf("; a body may stand still for %v", c.Body.Timeout)
	}
	if c.Limit.Calls > 0 || c.Limit.Rate > 0 {
		text += fmt.Sprintf("; max_requests %d, max_requests_per_second %.0f (0 is any number)", c.Limit.Calls, c.Limit.Rate)
	}
	return text
}

// section is one of storage.maintenance, as a map by names.
func section(config *configuration.Configuration, name string) map[string]any {
	byName := make(map[string]any)
	switch m := config.Storage["maintenance"][name].(type) {
	case map[any]any: // what distribution's YAML reader makes
		for k, v := range m {
			byName[fmt.Sprint(k)] = v
		}
	case map[string]any:
		return m
	}
	return byName
}

func deletes(config *configuration.Configuration) string {
	return onOff(config.Storage["delete"]["enabled"] == true, "manifests, tags and blobs may be deleted", "are refused: storage.delete.enabled is not true")
}

// upkeep are the middleware's sections, and what their parameters come to.
type upkeep map[string]map[string]string

func upkeepOf(config *configuration.Configuration) (upkeep, error) {
	all := config.Middleware["registry"]
	i := slices.IndexFunc(all, func(m configuration.Middleware) bool { return m.Name == blobdock.Name })
	if i < 0 {
		return upkeep{}, nil
	}
	settings, err := blobdock.UpkeepSettings(all[i].Options)
	if err != nil {
		return nil, err
	}
	u := make(upkeep)
	for section, list := range settings {
		u[section] = make(map[string]string)
		for _, s := range list {
			u[section][s.Name] = s.Value
		}
	}
	return u, nil
}

// of formats parameters of a section that is enabled.
func (u upkeep) of(section, format string, names ...string) string {
	s := u[section]
	if s["enabled"] != "true" {
		return "off"
	}
	values := make([]any, len(names))
	for i, name := range names {
		values[i] = s[name]
	}
	text := fmt.Sprintf(format, values...)
	if s["dryrun"] == "true" {
		text += " (dryrun: it is only logged)"
	}
	return text
}

func (u upkeep) sweep() string {
	return u.of("sweep", "every %s, of uploads that nobody touched for %s", "interval", "age")
}

func (u upkeep) gc() string {
	text := u.of("gc", "every %s, of what is older than %s and no manifest names, %s objects at most", "interval", "olderthan", "limit")
	s := u["gc"]
	if s["enabled"] != "true" {
		return text + `: "blobdock gc" removes what no manifest names`
	}
	if s["untagged"] == "true" {
		text += "; untagged manifests go"
	}
	if s["orphanedreferrers"] == "true" {
		text += "; orphaned referrers go"
	}
	if s["retention"] != "" {
		text += "; tags go by the policy in " + s["retention"]
	}
	if q := s["quarantine"]; q != "" && q != "0s" {
		text += "; removed objects are kept for " + q
	}
	return text
}
