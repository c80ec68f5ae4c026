"""TODO."""

from typing import Annotated, ClassVar

from appliance.api.kinds.core.claim_spec import PersistentVolumeClaimTemplate
from appliance.api.kinds.core.pod.volume_drivers import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    AzureFileVolumeSource,
    CephFSVolumeSource,
    CinderVolumeSource,
    CSIVolumeSource,
    FCVolumeSource,
    FlexVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    GitRepoVolumeSource,
    GlusterfsVolumeSource,
    ISCSIVolumeSource,
    NFSVolumeSource,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    RBDVolumeSource,
    ScaleIOVolumeSource,
    StorageOSVolumeSource,
    VsphereVirtualDiskVolumeSource,
)
from appliance.api.kinds.core.references import (
    LocalObjectReference,
    ObjectFieldSelector,
    ResourceFieldSelector,
)
from appliance.api.meta import LabelSelector
from appliance.api.schema import F, Inline, Int32, Int64, Message, Quantity, always


class KeyToPath(Message):
    """TODO."""

    key: Annotated[str, F(1, "", required=True)] = always(str)
    path: Annotated[str, F(2, "", required=True)] = always(str)
    mode: Annotated[Int32 | None, F(3, "")] = None


class ConfigMapVolumeSource(LocalObjectReference):
    """TODO."""

    INLINE: ClassVar[Inline] = ((LocalObjectReference, 1),)
    items: Annotated[list[KeyToPath], F(2, "", list_type="atomic")] = []
    defaultMode: Annotated[Int32 | None, F(3, "")] = None
    optional: Annotated[bool | None, F(4, "")] = None


class DownwardAPIVolumeFile(Message):
    """TODO."""

    path: Annotated[str, F(1, "", required=True)] = always(str)
    fieldRef: Annotated[ObjectFieldSelector | None, F(2, "")] = None
    resourceFieldRef: Annotated[ResourceFieldSelector | None, F(3, "")] = None
    mode: Annotated[Int32 | None, F(4, "")] = None


class DownwardAPIVolumeSource(Message):
    """TODO."""

    items: Annotated[list[DownwardAPIVolumeFile], F(1, "", list_type="atomic")] = []
    defaultMode: Annotated[Int32 | None, F(2, "")] = None


class EmptyDirVolumeSource(Message):
    """TODO."""

    medium: Annotated[str, F(1, "")] = ""
    sizeLimit: Annotated[Quantity | None, F(2, "")] = None


class EphemeralVolumeSource(Message):
    """TODO."""

    volumeClaimTemplate: Annotated[PersistentVolumeClaimTemplate | None, F(1, "")] = None


class HostPathVolumeSource(Message):
    """TODO."""

    path: Annotated[str, F(1, "", required=True)] = always(str)
    type: Annotated[str | None, F(2, "")] = None


class ImageVolumeSource(Message):
    """TODO."""

    reference: Annotated[str, F(1, "")] = ""
    pullPolicy: Annotated[str, F(2, "")] = ""


class PersistentVolumeClaimVolumeSource(Message):
    """TODO."""

    claimName: Annotated[str, F(1, "", required=True)] = always(str)
    readOnly: Annotated[bool, F(2, "")] = False


class ClusterTrustBundleProjection(Message):
    """TODO."""

    name: Annotated[str | None, F(1, "")] = None
    signerName: Annotated[str | None, F(2, "")] = None
    labelSelector: Annotated[LabelSelector | None, F(3, "")] = None
    optional: Annotated[bool | None, F(5, "")] = None
    path: Annotated[str, F(4, "", required=True)] = always(str)


class ConfigMapProjection(LocalObjectReference):
    """TODO."""

    INLINE: ClassVar[Inline] = ((LocalObjectReference, 1),)
    items: Annotated[list[KeyToPath], F(2, "", list_type="atomic")] = []
    optional: Annotated[bool | None, F(4, "")] = None


class DownwardAPIProjection(Message):
    """TODO."""

    items: Annotated[list[DownwardAPIVolumeFile], F(1, "", list_type="atomic")] = []


class PodCertificateProjection(Message):
    """TODO."""

    signerName: Annotated[str, F(1, "")] = ""
    keyType: Annotated[str, F(2, "")] = ""
    maxExpirationSeconds: Annotated[Int32 | None, F(3, "")] = None
    credentialBundlePath: Annotated[str, F(4, "")] = ""
    keyPath: Annotated[str, F(5, "")] = ""
    certificateChainPath: Annotated[str, F(6, "")] = ""
    userAnnotations: Annotated[dict[str, str], F(7, "")] = {}


class SecretProjection(LocalObjectReference):
    """TODO."""

    INLINE: ClassVar[Inline] = ((LocalObjectReference, 1),)
    items: Annotated[list[KeyToPath], F(2, "", list_type="atomic")] = []
    optional: Annotated[bool | None, F(4, "")] = None


class ServiceAccountTokenProjection(Message):
    """TODO."""

    audience: Annotated[str, F(1, "")] = ""
    expirationSeconds: Annotated[Int64 | None, F(2, "")] = None
    path: Annotated[str, F(3, "", required=True)] = always(str)


class VolumeProjection(Message):
    """TODO."""

    secret: Annotated[SecretProjection | None, F(1, "")] = None
    downwardAPI: Annotated[DownwardAPIProjection | None, F(2, "")] = None
    configMap: Annotated[ConfigMapProjection | None, F(3, "")] = None
    serviceAccountToken: Annotated[ServiceAccountTokenProjection | None, F(4, "")] = None
    clusterTrustBundle: Annotated[ClusterTrustBundleProjection | None, F(5, "")] = None
    podCertificate: Annotated[PodCertificateProjection | None, F(6, "")] = None


class ProjectedVolumeSource(Message):
    """TODO."""

    sources: Annotated[list[VolumeProjection], F(1, "", list_type="atomic")] = always(list)
    defaultMode: Annotated[Int32 | None, F(2, "")] = None


class SecretVolumeSource(Message):
    """TODO."""

    secretName: Annotated[str, F(1, "")] = ""
    items: Annotated[list[KeyToPath], F(2, "", list_type="atomic")] = []
    defaultMode: Annotated[Int32 | None, F(3, "")] = None
    optional: Annotated[bool | None, F(4, "")] = None


class VolumeSource(Message):
    """TODO."""

    hostPath: Annotated[HostPathVolumeSource | None, F(1, "")] = None
    emptyDir: Annotated[EmptyDirVolumeSource | None, F(2, "")] = None
    gcePersistentDisk: Annotated[GCEPersistentDiskVolumeSource | None, F(3, "")] = None
    awsElasticBlockStore: Annotated[AWSElasticBlockStoreVolumeSource | None, F(4, "")] = None
    gitRepo: Annotated[GitRepoVolumeSource | None, F(5, "")] = None
    secret: Annotated[SecretVolumeSource | None, F(6, "")] = None
    nfs: Annotated[NFSVolumeSource | None, F(7, "")] = None
    iscsi: Annotated[ISCSIVolumeSource | None, F(8, "")] = None
    glusterfs: Annotated[GlusterfsVolumeSource | None, F(9, "")] = None
    persistentVolumeClaim: Annotated[PersistentVolumeClaimVolumeSource | None, F(10, "")] = None
    rbd: Annotated[RBDVolumeSource | None, F(11, "")] = None
    flexVolume: Annotated[FlexVolumeSource | None, F(12, "")] = None
    cinder: Annotated[CinderVolumeSource | None, F(13, "")] = None
    cephfs: Annotated[CephFSVolumeSource | None, F(14, "")] = None
    flocker: Annotated[FlockerVolumeSource | None, F(15, "")] = None
    downwardAPI: Annotated[DownwardAPIVolumeSource | None, F(16, "")] = None
    fc: Annotated[FCVolumeSource | None, F(17, "")] = None
    azureFile: Annotated[AzureFileVolumeSource | None, F(18, "")] = None
    configMap: Annotated[ConfigMapVolumeSource | None, F(19, "")] = None
    vsphereVolume: Annotated[VsphereVirtualDiskVolumeSource | None, F(20, "")] = None
    quobyte: Annotated[QuobyteVolumeSource | None, F(21, "")] = None
    azureDisk: Annotated[AzureDiskVolumeSource | None, F(22, "")] = None
    photonPersistentDisk: Annotated[PhotonPersistentDiskVolumeSource | None, F(23, "")] = None
    projected: Annotated[ProjectedVolumeSource | None, F(26, "")] = None
    portworxVolume: Annotated[PortworxVolumeSource | None, F(24, "")] = None
    scaleIO: Annotated[ScaleIOVolumeSource | None, F(25, "")] = None
    storageos: Annotated[StorageOSVolumeSource | None, F(27, "")] = None
    csi: Annotated[CSIVolumeSource | None, F(28, "")] = None
    ephemeral: Annotated[EphemeralVolumeSource | None, F(29, "")] = None
    image: Annotated[ImageVolumeSource | None, F(30, "")] = None


class Volume(VolumeSource):
    """TODO."""

    INLINE: ClassVar[Inline] = ((VolumeSource, 2),)
    name: Annotated[str, F(1, "", required=True)] = always(str)
