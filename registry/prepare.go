package registry

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/distribution/distribution/v3/configuration"

	"github.com/blobdock/blobdock/driver"
)

// Prepare completes a configuration whose storage is blobdock, as `blobdock serve` does,
// before distribution's registry is made from it: the middleware is there, and before others;
// its sweeper takes the place of distribution's purger, with the purger's settings, as the
// purger would leave parts behind; the sections gc, pulls and usage of storage.maintenance are the middleware's
// options of these names;
// storage.redirect.disable counts. A middleware that is there
// already stays where it is, and its option sweep as it is. So does a configuration of another
// storage driver. Invalid for a section that is none.
func Prepare(config *configuration.Configuration) error {
	if config.Storage.Type() != Name {
		return nil
	}
	if r, ok := config.Storage["redirect"]; ok && r["disable"] == true {
		if config.Storage[Name] == nil { // which is said to have no url when it is opened
			config.Storage[Name] = configuration.Parameters{}
		}
		config.Storage[Name]["redirect"] = false
	}
	takeReadOnly(config.Storage["maintenance"])
	sweep, err := takePurging(config)
	if err != nil {
		return err
	}
	options := configuration.Parameters{"sweep": sweep}
	for _, name := range []string{"gc", "pulls", "usage"} {
		if section := takeSection(config, name); section != nil {
			options[name] = section
		}
	}
	if i := slices.IndexFunc(config.Middleware["registry"], isOurs); i >= 0 {
		m := &config.Middleware["registry"][i]
		if m.Options == nil {
			m.Options = make(configuration.Parameters)
		}
		for name, section := range options {
			if _, ok := m.Options[name]; !ok {
				m.Options[name] = section
			}
		}
		return nil
	}
	if config.Middleware == nil {
		config.Middleware = make(map[string][]configuration.Middleware)
	}
	ours := configuration.Middleware{Name: Name, Options: options}
	// It goes first: others then wrap the blobs that are really served.
	config.Middleware["registry"] = append([]configuration.Middleware{ours}, config.Middleware["registry"]...)
	return nil
}

// takeSection takes a section of maintenance, which distribution does not know. A registry
// that is read-only collects nothing, and writes no lease.
func takeSection(config *configuration.Configuration, name string) any {
	maintenance := config.Storage["maintenance"]
	section := maintenance[name]
	delete(maintenance, name)
	if readOnly(config) {
		return nil
	}
	return section
}

// takeReadOnly gives the section readonly the type that distribution's registry wants. It has
// another where a REGISTRY_* variable alone made it, and the registry would panic.
func takeReadOnly(maintenance configuration.Parameters) {
	section, ok := maintenance["readonly"].(map[string]any)
	if !ok {
		return
	}
	typed := make(map[any]any, len(section))
	for name, value := range section {
		typed[name] = value
	}
	maintenance["readonly"] = typed
}

// readOnly reports whether the configuration, which is prepared, is of a registry that writes
// nothing.
func readOnly(config *configuration.Configuration) bool {
	section, _ := config.Storage["maintenance"]["readonly"].(map[any]any)
	return section["enabled"] == true
}

// takePurging switches distribution's purger off, and returns its settings for the sweeper.
func takePurging(config *configuration.Configuration) (map[string]any, error) {
	sweep := map[string]any{"enabled": true}
	maintenance := config.Storage["maintenance"]
	if v, ok := maintenance["uploadpurging"]; ok {
		switch purging := v.(type) {
		case map[any]any:
			for name, value := range purging {
				sweep[fmt.Sprint(name)] = value
			}
		case map[string]any: // REGISTRY_* alone made it
			maps.Copy(sweep, purging)
		default:
			return nil, fmt.Errorf("storage: maintenance: uploadpurging is a %T, want a section: %w", v, driver.Invalid)
		}
	}
	if maintenance == nil {
		maintenance = configuration.Parameters{}
		config.Storage["maintenance"] = maintenance
	}
	maintenance["uploadpurging"] = map[any]any{"enabled": false}
	if readOnly(config) {
		sweep["enabled"] = false // it would write its lease, and delete
	}
	return sweep, nil
}

// configured reports whether the configuration has the middleware.
func configured(config *configuration.Configuration) bool {
	return slices.ContainsFunc(config.Middleware["registry"], isOurs)
}

func isOurs(m configuration.Middleware) bool { return m.Name == Name }

// warnUnprepared says what a registry goes without that uses the storage driver alone.
func warnUnprepared(config *configuration.Configuration) {
	if config.Storage.Type() == Name && !configured(config) {
		slog.Warn("storage driver blobdock without its middleware: uploads cost more requests, there are no referrers, and abandoned uploads stay",
			"remedy", "registry.Prepare(config), or middleware: registry: [{name: blobdock}]")
	}
}
