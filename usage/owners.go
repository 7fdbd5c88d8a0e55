package usage

// owners are the repositories and teams.
type owners struct {
	repositories, teams []Usage
	teamIDs             map[string]owner
}

// team is the team of that name.
func (x *owners) team(name string) owner {
	if x.teamIDs == nil {
		x.teamIDs = make(map[string]owner)
	}
	id := x.teamIDs[name]
	if id == nobody {
		x.teams = append(x.teams, Usage{Name: name})
		id = owner(len(x.teams))
		x.teamIDs[name] = id
	}
	return id
}

// claim has is, one of list, be an owner of a blob of that size beside the owner before. It
// returns who owns the blob now.
func claim(list []Usage, before, is owner, size int64) owner {
	u := &list[is-1]
	u.Blobs++
	u.Stored += size
	switch before {
	case nobody:
		u.Exclusive += size
		return is
	case several:
	default:
		list[before-1].Exclusive -= size
	}
	return several
}
