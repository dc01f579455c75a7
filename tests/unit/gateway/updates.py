"""Updates of a table as control makes them."""

from geniehive.v1 import routing_service_pb2 as pb

from tests.unit.gateway.pushed import candidate, hashed


class Control:
    """The other side: makes updates of its own table, `held`."""

    def __init__(self, store="s", incarnation="i"):
        self.store, self.incarnation, self.version = store, incarnation, 0
        self.held = {}
        self.settled = True

    def identity(self):
        return pb.TableIdentity(
            store_id=self.store, incarnation=self.incarnation, version=self.version
        )

    def table_hash(self):
        total = 0
        for one in self.held.values():
            total ^= one.hash
        return total

    def snapshot(self):
        return pb.TableUpdate(
            identity=self.identity(),
            snapshot=True,
            settled=self.settled,
            upserts=list(self.held.values()),
            table_hash=self.table_hash(),
        )

    def patch(self, base, candidates, removed, more=()):
        """Change the target `base`, and `more`: candidates as `pushed.target` takes them."""
        after = {one.service_id: one for one in base.target.candidates}
        after |= {one[0]: candidate(*one) for one in candidates}
        removed = sorted(set(removed) - {one[0] for one in candidates})
        for service_id in removed:
            after.pop(service_id, None)
        whole = pb.Resource()
        whole.CopyFrom(base)
        del whole.target.candidates[:]
        whole.target.candidates.extend(after.values())
        whole = hashed(name=base.name, target=whole.target)
        update = self.delta([whole, *more])
        update.upserts[0].target_patch.CopyFrom(
            pb.TargetPatch(
                base_hash=base.hash,
                upserts=[candidate(*one) for one in candidates],
                removed=removed,
            )
        )
        return update

    def delta(self, upserts=(), gone=()):
        base = self.version
        self.version += 1
        for name in gone:
            self.held.pop(name, None)
        self.held.update((one.name, one) for one in upserts)
        return pb.TableUpdate(
            identity=self.identity(),
            base_version=base,
            settled=self.settled,
            upserts=upserts,
            tombstones=gone,
            table_hash=self.table_hash(),
        )
