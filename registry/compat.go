package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// compat is distribution's own storage drivers, whose sections are understood as they
// are once they say which driver's they are:
//
//	storage:
//	  blobdock:
//	    driver: s3
//	    bucket: my-bucket
//	    regionendpoint: https://minio.example.com:9000
//
// Beside distribution's parameters there may be ours.
var compat = map[string]stockDriver{
	"s3": {"s3", "bucket", fromS3, map[string]string{
		"forcepathstyle": "path_style", "keyid": "sse_kms_key_id", "objectacl": "acl",
		"usedualstack": "dual_stack", "usefipsendpoint": "fips", "chunksize": "part_size",
		"multipartcopychunksize": "copy_part_size", "multipartcopythresholdsize": "copy_threshold",
		"multipartcopymaxconcurrency": "copy_concurrency",
	}},
	"gcs": {"gs", "bucket", fromGCS, map[string]string{
		"keyfile": "credentials_file", "chunksize": "part_size", "maxconcurrency": "max_requests",
	}},
	"azure": {"azblob", "container", fromAzure, map[string]string{
		"accountname": "account", "accountkey": "key", "serviceurl": "endpoint", "max_retries": "retries",
	}},
	"filesystem": {"file", "", fromFilesystem, map[string]string{"maxthreads": "max_requests"}},
}

type stockDriver struct {
	scheme string
	bucket string // the parameter that names it
	// rest translates what is more than another name.
	rest func(section map[string]any) error
	// names are ours for theirs, where they differ in more than underscores.
	names map[string]string
}

// fromStock is the section in our own words. One with a url is so already.
func fromStock(section map[string]any) (map[string]any, error) {
	name, ok := section["driver"]
	if !ok {
		return section, nil
	}
	d, ok := compat[fmt.Sprint(name)]
	switch {
	case !ok:
		return nil, fmt.Errorf("driver %v: want one of %s, or a url: %w", name, strings.Join(slices.Sorted(maps.Keys(compat)), ", "), driver.Invalid)
	case section["url"] != nil:
		return nil, fmt.Errorf("driver and url exclude each other: %w", driver.Invalid)
	}
	section = maps.Clone(section)
	maps.DeleteFunc(section, func(name string, v any) bool { return v == nil || name == "driver" }) // "accesskey:" is none
	older := false
	if d.scheme == "azblob" {
		var err error
		if older, err = takeOlder(section); err != nil {
			return nil, err
		}
	}
	if err := d.rest(section); err != nil {
		return nil, err
	}
	for theirs, ours := range d.names {
		v, ok := section[theirs]
		if !ok {
			continue
		}
		if _, twice := section[ours]; twice {
			return nil, fmt.Errorf("%s and %s are the same: %w", theirs, ours, driver.Invalid)
		}
		section[ours] = v
		delete(section, theirs)
	}
	u := url.URL{Scheme: d.scheme, Path: takeText(section, "rootdirectory")}
	if d.bucket != "" {
		if u.Host = takeText(section, d.bucket); u.Host == "" {
			return nil, fmt.Errorf("driver %v: %s is missing: %w", name, d.bucket, driver.Invalid)
		}
		// The ARN of an access point of S3 has a slash before the point's name.
		bucket, point, _ := strings.Cut(u.Host, "/")
		u.Host, u.Path = bucket, path.Join("/", point, u.Path)
		if older {
			u.Path = "/" + u.Path
		}
	}
	section["url"] = u.String()
	return section, nil
}

// takeOlder takes the parameters by which GitLab's registry chooses between keys that begin with a
// slash, which are the older ones, and others.
// https://gitlab.com/gitlab-org/container-registry/-/work_items/854
func takeOlder(section map[string]any) (older bool, err error) {
	if older, err = takeBool(section, "legacyrootprefix", false); err != nil {
		return false, err
	}
	trim, err := takeBool(section, "trimlegacyrootprefix", !older)
	return older || !trim, err
}

// takeText takes a value out of the section, "" where there is none.
func takeText(section map[string]any, name string) string {
	v, ok := section[name]
	delete(section, name)
	if !ok {
		return ""
	}
	return fmt.Sprint(v)
}

// takeBool is takeText for what is true or false.
func takeBool(section map[string]any, name string, def bool) (bool, error) {
	text := takeText(section, name)
	if text == "" {
		return def, nil
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		return def, fmt.Errorf("%s=%q: want true or false: %w", name, text, driver.Invalid)
	}
	return b, nil
}

// fromS3 reads what https://distribution.github.io/distribution/storage-drivers/s3/
// describes.
func fromS3(section map[string]any) error {
	secure, err := takeBool(section, "secure", true)
	if err != nil {
		return err
	}
	for theirs, ours := range map[string]string{"regionendpoint": "endpoint", "redirectendpoint": "redirect_endpoint"} {
		endpoint := takeText(section, theirs)
		if endpoint == "" {
			continue
		}
		if !strings.Contains(endpoint, "://") {
			scheme := "https"
			if !secure {
				scheme = "http"
			}
			endpoint = scheme + "://" + endpoint
		}
		section[ours] = endpoint
	}
	if !secure && section["endpoint"] == nil {
		return fmt.Errorf("secure=false: Amazon S3 is reached by https: %w", driver.Invalid)
	}
	if v4, err := takeBool(section, "v4auth", true); err != nil {
		return err
	} else if !v4 {
		return fmt.Errorf("v4auth=false: signatures of version 2 are not made: %w", driver.Invalid)
	}
	encrypt, err := takeBool(section, "encrypt", false)
	switch {
	case err != nil:
		return err
	case !encrypt:
		delete(section, "keyid") // which is ignored there, too
	case section["keyid"] == nil || section["keyid"] == "":
		section["sse"] = "AES256"
	default:
		section["sse"] = "aws:kms"
	}
	if class := strings.ToUpper(takeText(section, "storageclass")); class != "" && class != "NONE" {
		section["storage_class"] = class
	}
	if acl := section["objectacl"]; acl == "private" {
		delete(section, "objectacl") // what an object has without one, on buckets that have no ACLs, too
	}
	if section["multipartcopythresholdsize"] == 0 {
		section["multipartcopythresholdsize"] = 1
	}
	if level := takeText(section, "loglevel"); level != "" && level != "off" && level != "false" {
		section["log_requests"] = true
	}
	return nil
}

// fromGCS reads what https://distribution.github.io/distribution/storage-drivers/gcs/
// describes.
func fromGCS(section map[string]any) error {
	inline, ok := section["credentials"]
	if !ok {
		return nil
	}
	key, err := stringKeys(inline)
	if err != nil {
		return err
	}
	text, err := json.Marshal(key)
	if err != nil {
		return fmt.Errorf("credentials: want the content of a key file: %w", driver.Invalid)
	}
	section["credentials"] = string(text)
	return nil
}

// fromAzure reads what
// https://distribution.github.io/distribution/storage-drivers/azure/ describes.
func fromAzure(section map[string]any) error {
	if section["serviceurl"] != nil {
		delete(section, "realm") // which is part of it
	}
	inline, ok := section["credentials"]
	if !ok {
		return nil
	}
	delete(section, "credentials")
	c, err := stringKeys(inline)
	if err != nil {
		return err
	}
	switch c["type"] {
	case "default_credentials":
		section["credential"] = "default"
	case "shared_key":
		section["credential"] = "key"
	case "client_secret":
		return fmt.Errorf("credentials of type client_secret: set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, and type: default_credentials: %w", driver.Invalid)
	case nil, "":
	default:
		return fmt.Errorf("credentials: type %v: want shared_key or default_credentials: %w", c["type"], driver.Invalid)
	}
	return nil
}

func fromFilesystem(section map[string]any) error {
	if section["rootdirectory"] == nil {
		section["rootdirectory"] = "/var/lib/registry"
	}
	return nil
}

// stringKeys is a section inside of one.
func stringKeys(v any) (map[string]any, error) {
	switch v := v.(type) {
	case map[string]any:
		return v, nil
	case map[any]any: // what distribution's YAML reader makes
		m := make(map[string]any, len(v))
		for name, value := range v {
			m[fmt.Sprint(name)] = value
		}
		return m, nil
	default:
		return nil, fmt.Errorf("credentials: want a section, not a %T: %w", v, driver.Invalid)
	}
}
